"""The fixtures of servers.py, for the tests beside it."""

from servers import runs, server

__all__ = ["runs", "server"]
