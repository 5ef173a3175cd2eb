"""Text that a language model writes: how it is made, what is copied, how like people's it is."""
