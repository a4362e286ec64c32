"""What a model hub may answer, by a small server that answers so."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import actmax

ANSWERS = {
    "gated": (403, "GatedRepo"),
    "unknown": (404, "RepoNotFound"),
    "private": (401, ""),
    "norevision": (404, "RevisionNotFound"),
    "broken": (500, ""),
}


class Hub(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, code = next((ANSWERS[name] for name in ANSWERS if name in self.path), (404, ""))
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


CODE = """
import sys
from actmax.errors import ActmaxError
from actmax.api.load import load
for name in sys.argv[1:]:
    try:
        load("someone/" + name, revision="v9" if name == "norevision" else None)
    except ActmaxError as error:
        print(error)
"""


def test_each_refusal_gets_its_sentence(endpoint: str, tmp_path: Path) -> None:
    names = list(ANSWERS)
    source = str(Path(str(actmax.__file__)).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", CODE, *names],
        env={"PATH": "", "HF_HOME": str(tmp_path), "PYTHONPATH": source, "HF_ENDPOINT": endpoint},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    said = dict(zip(names, done.stdout.splitlines(), strict=True))
    assert "accept them on its page and log in" in said["gated"]
    assert "There is no model 'someone/unknown'" in said["unknown"]
    assert "does not give out 'someone/private' (it answers 401)" in said["private"]
    assert "log in with `hf auth login`" in said["private"]
    assert "(it answers 500); check the name, or try again later" in said["broken"]
    assert "The hub has no revision 'v9' of 'someone/norevision'" in said["norevision"]
    assert done.stderr == ""
