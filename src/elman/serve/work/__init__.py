"""What the thread of a `Desk` does for a client."""
