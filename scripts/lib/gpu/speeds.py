"""Tokens a second of this program and of llama-server, asked for the same work."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

from bench_engine import Pieces

from qwq_gguf.engine.batching.engine import Engine
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.sampling import Greedy, LogitBias, SamplerChain

__all__ = ["SLOTS", "our_speeds", "server_speeds"]

SLOTS = (1, 4, 16)
_TURNS = 2
_SHORT = 16  # tokens of the prompts of texts that are written side by side
_OPENER = build_opener(ProxyHandler({}))


def our_speeds(path: Path, *, tokens: int, prompt: int) -> dict[str, Any]:
    """Of one sequence: the prompt's tokens a second, and the generated ones'; of several, all."""
    reading, writing = [], []
    with Model.load(path, context=prompt + tokens + 64, threads=4) as model:
        # Random weights may end their text at any time.
        ban = LogitBias(tuple((token, -1000.0) for token in sorted(model.eog_tokens)))
        chain = SamplerChain((ban, Greedy()))
        with closing(Session(model)) as session:
            for turn in range(_TURNS + 1):
                session.forget()
                text = [1000 + (turn * 7 + at * 13) % 50_000 for at in range(prompt)]
                with closing(session.generate(text, chain, seed=0, max_tokens=tokens)) as made:
                    count = sum(1 for _ in made)
                if turn:  # the first one warms up
                    reading.append(prompt / made.prompt_seconds)
                    writing.append(count / made.seconds)
        layers = model.gpu_layers
    found: dict[str, Any] = {
        "prompt": round(statistics.median(reading), 1),
        "one": round(statistics.median(writing), 1),
        "gpu_layers": layers,
    }
    for slots in SLOTS:
        context = (prompt + tokens + 64) * slots
        with (
            Model.load(path, context=context, threads=4) as model,
            Engine(model, sequences=slots) as engine,
        ):
            totals = []
            for turn in range(_TURNS + 1):
                began = time.perf_counter()
                with ThreadPoolExecutor(slots) as pool:
                    jobs = [
                        pool.submit(_write, engine, 100 * turn + slot, tokens)
                        for slot in range(slots)
                    ]
                    count = sum(job.result() for job in jobs)
                totals.append(count / (time.perf_counter() - began))
            found[f"{slots} at once"] = round(statistics.median(totals[1:]), 1)
    return found


def _write(engine: Engine, number: int, tokens: int) -> int:
    """Tokens that came of a short prompt."""
    text = [1000 + (number * 7 + at * 13) % 50_000 for at in range(_SHORT)]
    place = engine.sequence()
    chain = SamplerChain((Greedy(),))
    with closing(place.generate(text, chain, seed=0, max_tokens=tokens)) as made:
        for _ in made.drive(Pieces()):
            pass
        return made.tokens


def server_speeds(program: Path, path: Path, *, tokens: int, prompt: int) -> dict[str, Any]:
    """The same of llama-server; also in all of 4 and of 16 sequences at once."""
    found: dict[str, Any] = {}
    for slots in SLOTS:
        context = (prompt + tokens + 64) * slots
        with _server(program, path, slots, context) as address:
            if slots == 1:
                asked = [_complete(address, turn, tokens, prompt) for turn in range(_TURNS + 1)][1:]
                for name, key in (("prompt", "prompt_per_second"), ("one", "predicted_per_second")):
                    speeds = [each["timings"][key] for each in asked]
                    found[name] = round(statistics.median(speeds), 1)
            totals = []
            for turn in range(_TURNS + 1):
                began = time.perf_counter()
                with ThreadPoolExecutor(slots) as pool:
                    jobs = [
                        pool.submit(_complete, address, 100 * turn + slot, tokens, _SHORT)
                        for slot in range(slots)
                    ]
                    count = sum(job.result()["tokens_predicted"] for job in jobs)
                totals.append(count / (time.perf_counter() - began))
            found[f"{slots} at once"] = round(statistics.median(totals[1:]), 1)
    return found


def _complete(address: str, number: int, tokens: int, prompt: int) -> dict[str, Any]:
    body = {
        "prompt": [1000 + (number * 7 + at * 13) % 50_000 for at in range(prompt)],
        "n_predict": tokens,
        "ignore_eos": True,
        "temperature": 0,
        "cache_prompt": False,
    }
    request = Request(
        address + "/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with _OPENER.open(request, timeout=120) as answer:
        value: dict[str, Any] = json.load(answer)
    return value


@contextmanager
def _server(program: Path, path: Path, slots: int, context: int) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(program), "-m", str(path), "--port", str(port), "-np", str(slots)]
    command += ["-c", str(context), "-ngl", "99", "-t", "4"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            if process.poll() is not None:
                raise RuntimeError(f"llama-server ended with status {process.returncode}")
            try:
                with _OPENER.open(address + "/health", timeout=5) as answer:
                    if answer.status == 200:
                        break
            except (URLError, OSError):
                time.sleep(0.2)
        yield address
    finally:
        process.kill()
        process.wait()
