"""Network and simple forecast as one: how much of it is the network's, and what it comes to."""
