"""A real llama-server: the one inside the package xllamacpp, in a process of its own.

The package brings its own llama.cpp, which must not meet ours in one process.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

__all__ = ["ask", "llama_server", "needs_llama_server"]

needs_llama_server = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None,
    reason="no llama-server (xllamacpp) to test against",
)

_PROGRAM = """
import sys
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx = int(sys.argv[2])
params.n_parallel = 1
params.port = 0
params.cpuparams.n_threads = 1
params.warmup = False
params.ui = False
params.api_keys = sys.argv[3:]
server = xllamacpp.Server(params)
print("at", server.listening_address, flush=True)
sys.stdin.read()  # until the test is done, or gone
"""
_PATIENCE = 120.0
_ILLEGAL = 4  # SIGILL
_OPENER = build_opener(ProxyHandler({}))


@contextmanager
def llama_server(model: Path, context: int = 2048, *, keys: Sequence[str] = ()) -> Iterator[str]:
    """The address of a server that runs `model` with no sampling flag at all."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(model), str(context), *keys],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    watch = threading.Timer(_PATIENCE, process.kill)
    watch.start()
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        address = next((line.split()[1] for line in lines if line.startswith("at ")), None)
        if address is None and process.wait() == -_ILLEGAL:
            pytest.skip("the wheel's llama-server is for other processors")
        assert address is not None, "the server did not start"
        yield address
    finally:
        watch.cancel()
        process.kill()
        process.communicate()


def ask(address: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The server's JSON answer."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(address + path, data, {"Content-Type": "application/json"})
    with _OPENER.open(request, timeout=_PATIENCE) as answer:
        value: dict[str, Any] = json.load(answer)
    return value
