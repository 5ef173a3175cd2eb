"""What an imported network is made of: each layer as a module, and the network that joins them."""
