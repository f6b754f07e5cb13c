"""A real llama-server: the one inside the package xllamacpp, in a process of its own.

The package brings its own llama.cpp, which must not meet ours in one process.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

__all__ = ["ask", "llama_server", "needs_llama_server", "streamed"]

needs_llama_server = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None,
    reason="no llama-server (xllamacpp) to test against",
)

# Flags as common/arg.cpp of llama.cpp takes them, for those that an export writes about thinking
# and a few more; what the package has no field for is left aside by name.
_PROGRAM = """
import json
import sys
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx = int(sys.argv[2])
flags = json.loads(sys.argv[3])
params.n_ctx = int(flags.pop("ctx-size", params.n_ctx))
# A number of the file's counts unless its bit says that a flag was given (common.h).
names = {"d": "dry", "k": "top_k", "y": "typ_p", "p": "top_p", "s": "top_n_sigma", "m": "min_p",
         "t": "temperature", "x": "xtc", "e": "penalties"}
letters = flags.pop("sampler-seq", None)
if letters is not None:
    flags["samplers"] = ";".join(names[letter] for letter in letters)
for name, field, kind, bit in (
    ("samplers", "samplers", str, 1 << 0),
    ("top-k", "top_k", int, 1 << 1),
    ("top-p", "top_p", float, 1 << 2),
    ("min-p", "min_p", float, 1 << 3),
    ("temp", "temp", float, 1 << 6),
    ("repeat-last-n", "penalty_last_n", int, 1 << 7),
    ("repeat-penalty", "penalty_repeat", float, 1 << 8),
    ("presence-penalty", "penalty_present", float, 0),
):
    if name in flags:
        setattr(params.sampling, field, kind(flags.pop(name)))
        params.sampling.user_sampling_config |= bit
if flags.pop("reasoning-format", "deepseek") != "deepseek":
    raise SystemExit("only the form deepseek is known here")
params.sampling.reasoning_budget_tokens = int(flags.pop("reasoning-budget", -1))
params.sampling.reasoning_budget_message = flags.pop("reasoning-budget-message", "")
kwargs = json.loads(flags.pop("chat-template-kwargs", "{}"))
params.default_template_kwargs = {name: json.dumps(value) for name, value in kwargs.items()}
params.use_jinja = flags.pop("jinja", "true") == "true"
for name in ("model", "reverse-prompt"):
    flags.pop(name, None)
if flags:
    raise SystemExit(f"flags that are not known here: {sorted(flags)}")
params.n_parallel = 1
params.port = 0
params.cpuparams.n_threads = 1
params.warmup = False
params.ui = False
params.api_keys = sys.argv[4:]
server = xllamacpp.Server(params)
print("at", server.listening_address, flush=True)
sys.stdin.read()  # until the test is done, or gone
"""
_PATIENCE = 120.0
_ILLEGAL = 4  # SIGILL
_OPENER = build_opener(ProxyHandler({}))


@contextmanager
def llama_server(
    model: Path,
    context: int = 2048,
    *,
    keys: Sequence[str] = (),
    flags: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """The address of a server that runs `model`, with no sampling flag but those in `flags`."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(model), str(context), json.dumps(flags or {}), *keys],
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


def streamed(address: str, body: dict[str, Any]) -> tuple[str, str, list[dict[str, Any]]]:
    """A streamed chat's thought, answer and calls, each put together from its pieces."""
    data = json.dumps(body | {"stream": True}).encode()
    request = Request(address + "/v1/chat/completions", data, {"Content-Type": "application/json"})
    thought, answer, calls = "", "", list[dict[str, Any]]()
    with _OPENER.open(request, timeout=_PATIENCE) as lines:
        for line in lines:
            piece = line.decode().removeprefix("data: ").strip()
            if not piece or piece == "[DONE]":
                continue
            for choice in json.loads(piece)["choices"]:
                delta = choice["delta"]
                thought += delta.get("reasoning_content") or ""
                answer += delta.get("content") or ""
                for call in delta.get("tool_calls") or []:
                    if call.get("id"):
                        calls.append({"name": "", "arguments": ""})
                    for name, part in call["function"].items():
                        calls[-1][name] += part or ""
    return thought, answer, calls
