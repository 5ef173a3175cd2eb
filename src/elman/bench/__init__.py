"""Speed of the layers beside their peers and the machine's limits."""
