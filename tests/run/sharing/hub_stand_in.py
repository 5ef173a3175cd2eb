"""A model hub on 127.0.0.1, in memory: as much of its HTTP interface as huggingface_hub asks for.

Repositories with branches, commits, private and gated ones, tokens that may write for one owner;
small files within a commit, safetensors as LFS objects with a redirect, as the hub has them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml  # type: ignore[import-untyped]

LARGE = ".safetensors"  # what is kept as an LFS object
Files = dict[str, bytes]


@dataclass
class Repository:
    """What one repository holds: the files of each commit, and where its branches stand."""

    owner: str
    private: bool = False
    gated: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Files] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def commit(self, branch: str, files: Files, message: str) -> str:
        """A new commit on a branch; its name."""
        self.messages.append(message)
        told = repr((sorted(files.items()), len(self.commits))).encode()
        name = hashlib.sha1(told).hexdigest()
        self.commits[name], self.branches[branch] = files, name
        return name

    def files(self, branch: str = "main") -> Files:
        """The files as they are on a branch."""
        return self.commits[self.branches[branch]]


class Hub:
    """The state of a hub: repositories by name, tokens by owner, objects, and what was asked."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.tokens = {"token-of-ann": "ann", "token-of-bob": "bob"}
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.broken = 0  # a status that everything is answered with
        self.url = ""


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that listens until the end."""
    hub = Hub()

    class Bound(Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Refused(Exception):
    """An answer that is no success: its status, and the code by which the client knows it."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        self.status, self.code, self.message = status, code, message or code


class Handler(BaseHTTPRequestHandler):
    """One request."""

    state: Hub
    protocol_version = "HTTP/1.1"
    ROUTES = (
        ("POST", r"/api/repos/create", "create"),
        ("POST", r"/api/validate-yaml", "validate"),
        ("POST", r"/api/models/([^/]+/[^/]+)/branch/([^/]+)", "branch"),
        ("POST", r"/api/models/([^/]+/[^/]+)/preupload/([^/]+)", "preupload"),
        ("POST", r"/api/models/([^/]+/[^/]+)/commit/([^/]+)", "commit"),
        ("GET", r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", "about"),
        ("GET", r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", "tree"),
        ("POST", r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", "batch"),
        ("PUT", r"/objects/(\w+)", "keep"),
        ("GET", r"/objects/(\w+)", "give"),
        ("HEAD", r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", "resolve"),
        ("GET", r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", "resolve"),
    )

    def do_GET(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path
        self.state.asked.append(f"{self.command} {path}")
        try:
            if self.state.broken:
                raise Refused(self.state.broken, "Broken", "out of order")
            for method, pattern, name in self.ROUTES:
                found = re.fullmatch(pattern, path)
                if method == self.command and found:
                    parts = [part and unquote(part) for part in found.groups()]
                    getattr(self, name)(*parts)
                    return
            raise Refused(404, "NotFound", f"no such page: {self.command} {path}")
        except Refused as error:
            self.answer(
                {"error": error.message}, error.status,
                {"X-Error-Code": error.code, "X-Error-Message": error.message},
            )  # fmt: skip

    do_POST = do_PUT = do_HEAD = do_GET

    def create(self) -> None:
        asked = json.loads(self.body)
        owner = asked.get("organization") or self.user() or ""
        name = f"{owner}/{asked['name']}"
        if self.user() is None:
            raise Refused(401, "Unauthorized", "Invalid username or password.")
        if name in self.state.repositories:
            self.answer({"error": "exists", "url": f"{self.state.url}/{name}"}, 409)
            return
        if self.user() != owner:
            raise Refused(403, "Forbidden", "You don't have the rights to create a model there")
        made = Repository(owner, private=asked.get("visibility") == "private")
        made.commit("main", {".gitattributes": b"*.safetensors filter=lfs\n"}, "initial commit")
        self.state.repositories[name] = made
        self.answer({"url": f"{self.state.url}/{name}", "name": name, "id": name})

    def validate(self) -> None:
        front = re.match(r"---\n(.*?)\n---\n", json.loads(self.body)["content"], re.DOTALL)
        errors = []
        try:
            yaml.safe_load(front[1] if front else "")
        except yaml.YAMLError as error:
            errors = [{"message": str(error)}]
        self.answer({"errors": errors, "warnings": []}, 400 if errors else 200)

    def branch(self, name: str, branch: str) -> None:
        found = self.repository(name, write=True)
        if branch in found.branches:
            raise Refused(409, "Conflict", "Reference already exists")
        found.branches[branch] = found.branches["main"]
        self.answer({})

    def preupload(self, name: str, revision: str) -> None:
        there = self.files(self.repository(name, write=True), revision)
        self.answer({"files": [
            {
                "path": (path := one["path"]), "shouldIgnore": False,
                "uploadMode": "lfs" if path.endswith(LARGE) else "regular",
                "oid": None if path not in there else oid(path, there[path]),
            }
            for one in json.loads(self.body)["files"]
        ]})  # fmt: skip

    def commit(self, name: str, revision: str) -> None:
        found = self.repository(name, write=True)
        files, message = dict(self.files(found, revision)), ""
        for line in self.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            match item["key"]:
                case "header":
                    message = value["summary"]
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.state.objects[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
        made = found.commit(revision, files, message)
        url = f"{self.state.url}/{name}/commit/{made}"
        self.answer({"commitUrl": url, "commitOid": made, "pullRequestUrl": None})

    def about(self, name: str, revision: str | None) -> None:
        found = self.repository(name)
        at = self.named(found, revision or "main")
        told = [{"rfilename": path} for path in sorted(found.commits[at])]
        self.answer({"id": name, "sha": at, "private": found.private, "siblings": told})

    def tree(self, name: str, revision: str) -> None:
        self.answer([
            {"type": "file", "path": path, "size": len(held), "oid": git_hash(held)}
            | ({"lfs": {"oid": oid(path, held), "size": len(held), "pointerSize": 134}}
               if path.endswith(LARGE) else {})
            for path, held in sorted(self.files(self.repository(name), revision).items())
        ])  # fmt: skip

    def batch(self, name: str) -> None:
        self.repository(name, write=True)
        self.answer({"transfer": "basic", "objects": [
            one | {"actions": {"upload": {"href": f"{self.state.url}/objects/{one['oid']}"}}}
            for one in json.loads(self.body)["objects"]
        ]})  # fmt: skip

    def keep(self, name: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != name:
            raise Refused(400, "BadRequest", "another checksum")
        self.state.objects[name] = self.body
        self.answer({})

    def give(self, name: str) -> None:
        self.send(self.state.objects[name])

    def resolve(self, name: str, revision: str, path: str) -> None:
        found = self.repository(name)
        at = self.named(found, revision)
        if path not in found.commits[at]:
            raise Refused(404, "EntryNotFound", "Entry not found")
        held = found.commits[at][path]
        headers = {"X-Repo-Commit": at, "ETag": f'"{oid(path, held)}"'}
        if not path.endswith(LARGE):
            self.send(held, headers=headers)
            return
        self.state.objects[oid(path, held)] = held
        headers |= {
            "X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(len(held)),
            # Objects lie with another host, as they do at the hub.
            "Location": self.state.url.replace("127.0.0.1", "localhost")
            + f"/objects/{oid(path, held)}",
        }  # fmt: skip
        self.send(b"", 302, headers)

    def user(self) -> str | None:
        """Whose token was sent."""
        sent = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return self.state.tokens.get(sent)

    def repository(self, name: str, *, write: bool = False) -> Repository:
        """The repository, if the token opens it."""
        found, user = self.state.repositories.get(name), self.user()
        if found is None or (found.private and user != found.owner):
            raise Refused(404 if user else 401, "RepoNotFound", "Repository not found")
        if found.gated and user != found.owner:
            raise Refused(403 if user else 401, "GatedRepo", "Access to model is restricted")
        if write and user != found.owner:
            raise Refused(403 if user else 401, "Forbidden", "You may not write here")
        return found

    def named(self, found: Repository, revision: str) -> str:
        """The commit that a branch or a commit's own name stands for."""
        at = found.branches.get(revision, revision)
        if at not in found.commits:
            raise Refused(404, "RevisionNotFound", "Revision not found")
        return at

    def files(self, found: Repository, revision: str) -> Files:
        return found.commits[self.named(found, revision)]

    def answer(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        told = {"Content-Type": "application/json"} | (headers or {})
        self.send(json.dumps(value).encode(), status, told)

    def send(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *told: object) -> None:
        """Nothing: the tests ask `Hub.asked`."""


def git_hash(held: bytes) -> str:
    """The name that git gives to a file of that content."""
    return hashlib.sha1(b"blob %d\0" % len(held) + held).hexdigest()


def oid(path: str, held: bytes) -> str:
    """By what a client knows whether it has the file already."""
    return hashlib.sha256(held).hexdigest() if path.endswith(LARGE) else git_hash(held)
