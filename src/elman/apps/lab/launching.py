"""`elman lab`, from the command to the end. The port answers before anything heavy is loaded."""

from __future__ import annotations

import secrets
import sys
import threading
import webbrowser
from pathlib import Path

from elman.errors import UserError
from elman.serve.launching import listen

HOST = "127.0.0.1"


def launch(runs: Path, port: int, token: str | None, *, opens: bool) -> None:
    """Show the page until Ctrl-C. UserError: runs are no folder; RunError: the port is taken.

    Whoever connects before NiceGUI is loaded waits in the line of the socket.
    """
    if runs.exists() and not runs.is_dir():
        raise UserError(f"{runs}: is a file; give --runs a folder")
    token = token or secrets.token_urlsafe(24)
    with listen(HOST, port) as listener:
        port = listener.getsockname()[1]
        address = f"http://{HOST}:{port}/?token={token}"
        print(f"elman: the lab is at {address}", file=sys.stderr, flush=True)
        if opens:
            # Some browsers return only when they are closed.
            threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
        from elman.apps.lab.server import serve

        serve(runs.absolute(), listener, token)
