"""As much of the hub's protocol as its client asks for, served here: listings, files, ranges, refusals, cut lines.

With a token it takes repositories and commits too, whose files all come in the commit's own body.
"""

import base64
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT, WRITTEN = "a" * 40, "b" * 40


class Answers(BaseHTTPRequestHandler):
    """One request; what is served and how is said by the server."""

    def do_GET(self) -> None:
        self.answer(body=True)

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def answer(self, *, body: bool) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        if self.path == "/api/whoami-v2":
            return self.send(200, b'{"name": "me", "type": "user"}', body)
        api = parts[:2] == ["api", "models"]
        repository, rest = "/".join(parts[2:4] if api else parts[:2]), parts[4:] if api else parts[2:]
        if repository in self.server.gated:
            return self.send(403, b"{}", body, {"X-Error-Code": "GatedRepo"})
        if repository not in self.server.repositories:
            return self.send(401, b"{}", body, {"X-Error-Code": "RepoNotFound"})
        files = self.server.repositories[repository]
        if api and rest[:1] == ["tree"]:
            listed = [
                {"type": "file", "path": name, "size": len(data), "oid": sha1(data).hexdigest()}
                for name, data in files.items()
            ]
            return self.send(200, json.dumps(listed).encode(), body)
        if api:
            siblings = [{"rfilename": name} for name in files]
            return self.send(200, json.dumps({"id": repository, "sha": COMMIT, "siblings": siblings}).encode(), body)
        name = "/".join(rest[2:])
        data = files[name]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{sha1(data).hexdigest()}"'}
        asked = self.headers.get("Range", "") if body else ""
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked.startswith("bytes=") else 0
        if body:
            self.server.asked.append((name, start))
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return self.send(206 if start else 200, data[start:], body, headers, self.server.cut.get(name))

    def do_POST(self) -> None:
        path = self.path.partition("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return self.send(401, b'{"error": "Invalid username or password."}', True)
        if path == "/api/repos/create":
            return self.create(json.loads(body))
        if path.startswith("/api/validate-yaml"):
            return self.send(200, b'{"errors": [], "warnings": []}', True)
        if "/preupload/" in path:
            modes = [
                {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False}
                for each in json.loads(body)["files"]
            ]
            return self.send(200, json.dumps({"files": modes}).encode(), True)
        return self.commit("/".join(path.split("/")[3:5]), [json.loads(line) for line in body.splitlines()])

    def create(self, asked: Mapping[str, str]) -> None:
        """Make a repository, a new one."""
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        address = {"url": f"{self.server.address}/{name}"}
        if name in self.server.repositories:
            return self.send(409, json.dumps(address | {"error": "You already created it"}).encode(), True)
        self.server.repositories[name] = {}
        self.server.made.append((name, asked.get("visibility")))
        return self.send(200, json.dumps(address).encode(), True)

    def commit(self, name: str, lines: list[dict]) -> None:
        """Take the files of a commit: a header, then a line a file."""
        self.server.messages.append(lines[0]["value"]["summary"])
        for line in lines[1:]:
            self.server.repositories[name][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        url = f"{self.server.address}/{name}/commit/{WRITTEN}"
        return self.send(200, json.dumps({"success": True, "commitUrl": url, "commitOid": WRITTEN}).encode(), True)

    def send(
        self, status: int, data: bytes, body: bool, headers: Mapping[str, str] | None = None, cut: int | None = None
    ) -> None:
        """Answer; with `cut`, the line breaks after so many bytes of the body."""
        self.send_response(status)
        given = {"Content-Length": str(len(data)), "Content-Type": "application/json", **(headers or {})}
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data[:cut])
        if body and cut is not None:
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class Hub(ThreadingHTTPServer):
    """`repositories` hold their files' bytes by path; `cut` breaks a file's answers after so many bytes, `asked` has
    the files that were asked for and from which byte on; `made` has the repositories that were made, with who may see
    them, and `messages` those of the commits."""

    daemon_threads = True

    def __init__(
        self, repositories: Mapping[str, Mapping[str, bytes]], gated: tuple[str, ...] = (), token: str | None = None
    ):
        super().__init__(("127.0.0.1", 0), Answers)
        self.repositories, self.gated, self.token = repositories, gated, token
        self.made: list[tuple[str, str | None]] = []
        self.messages: list[str] = []
        self.cut: dict[str, int] = {}
        self.asked: list[tuple[str, int]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving(
    repositories: Mapping[str, Mapping[str, bytes]], gated: tuple[str, ...] = (), token: str | None = None
) -> Iterator[Hub]:
    server = Hub(repositories, gated, token)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def environment(endpoint: str, home: object, **others: str) -> dict[str, str]:
    """The surroundings of a process that takes `endpoint` for the hub and `home` for its cache."""
    settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    kept = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy") and name != "HF_TOKEN"
    }
    return kept | settings | others
