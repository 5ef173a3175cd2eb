"""One file a command: its arguments, the call, what it prints."""
