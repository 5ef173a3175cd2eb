"""The fixture of servers.py, for the tests beside it."""

from servers import server

__all__ = ["server"]
