"""Who leaves before an answer is there is no error of the lab."""

from __future__ import annotations

import os
import re
import signal
import socket
from urllib.parse import urlsplit

from test_gate import ask, cookie
from visiting import Lab


def test_an_answer_that_nobody_waits_for_is_no_error(lab: Lab) -> None:
    let_in = {"Cookie": cookie(lab)}
    page = ask(lab, "/en/start", headers=let_in).body.decode()
    assets = re.findall(r"/_nicegui/[^\"' ]+\.js", page)[:6]
    place, said = urlsplit(lab.root), len(lab.log)
    os.kill(lab.process.pid, signal.SIGSTOP)  # so that it reads requests and farewells at once
    for path in ["/en/start", *assets]:
        with socket.create_connection((place.hostname or "", place.port or 0)) as connection:
            lines = [f"GET {path} HTTP/1.1", f"Host: {place.netloc}", f"Cookie: {cookie(lab)}"]
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
    os.kill(lab.process.pid, signal.SIGCONT)
    for path in assets:  # by then it has said what it has to say of the others
        assert ask(lab, path, headers=let_in).status == 200
    assert lab.log[said:] == []
