"""What the benchmarks beside llama-server have in common: its process, texts, turns, arguments."""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

PROMPT = 16  # tokens of each text's prompt

_SERVER = """
import json, sys, xllamacpp
asked = json.loads(sys.argv[1])
params = xllamacpp.CommonParams()
params.model.path = asked["model"]
params.n_ctx = asked["context"]
params.n_parallel = asked["sequences"]
params.kv_unified = True
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = asked["threads"]
params.port = 0
params.ui = False
server = xllamacpp.Server(params)
print("at", server.listening_address, flush=True)
sys.stdin.read()
"""


class LlamaServer:
    """A process with llama-server: a program that was named, else that of the package xllamacpp."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._open = build_opener(ProxyHandler({})).open
        port = _free_port()
        self.process = subprocess.Popen(
            _program(asked, port)
            if asked["server"]
            else [sys.executable, "-c", _SERVER, json.dumps(asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if asked["server"] is None else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if asked["server"]:
            self.address = f"http://127.0.0.1:{port}"
            self._await()
            return
        assert self.process.stdout is not None
        lines = iter(self.process.stdout.readline, "")
        self.address = next(line.split()[1] for line in lines if line.startswith("at "))

    def _await(self) -> None:
        while True:
            try:
                with self._open(self.address + "/health", timeout=60) as answer:
                    if answer.status == 200:
                        return
            except OSError:  # nobody listens, or it is still loading
                time.sleep(0.2)
            if self.process.poll() is not None:
                raise RuntimeError(f"llama-server ended with status {self.process.returncode}")

    def run(self, prompts: Sequence[Sequence[int]], tokens: int) -> dict[str, float]:
        began = time.perf_counter()
        with ThreadPoolExecutor(len(prompts)) as pool:
            answers = list(pool.map(lambda prompt: self._ask(prompt, tokens), prompts))
        took = time.perf_counter() - began
        made = sum(answer["tokens_predicted"] for answer in answers)
        assert made == tokens * len(prompts), made
        return {
            "seconds": took,
            "prompt_seconds": answers[0]["timings"]["prompt_ms"] / 1000,
            "decode": answers[0]["timings"]["predicted_per_second"],
        }

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()

    def _ask(self, prompt: Sequence[int], tokens: int) -> dict[str, Any]:
        body = {
            "prompt": prompt,
            "n_predict": tokens,
            "temperature": 0,
            "ignore_eos": True,
            "cache_prompt": False,
            "samplers": ["temperature"],
        }
        request = Request(
            self.address + "/completion",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with self._open(request, timeout=3600) as answer:
            value: dict[str, Any] = json.load(answer)
        return value


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _program(asked: dict[str, Any], port: int) -> list[str]:
    """The same settings as those above, as flags."""
    command = [asked["server"], "-m", asked["model"], "--port", str(port), "--kv-unified"]
    command += ["-c", str(asked["context"]), "-np", str(asked["sequences"])]
    return [*command, "-t", str(asked["threads"]), "-tb", str(asked["threads"])]


class Texts:
    """Prompts of ordinary tokens, no two of which begin alike."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._next = 0

    def take(self, count: int, length: int) -> list[list[int]]:
        prompts = []
        for _ in range(count):
            self._next += 1
            seed = self._next * 7919
            prompts.append([(seed + place * 31) % self._size for place in range(length)])
        return prompts


def vocabulary_size(path: Path) -> int:
    from qwq_gguf.gguf_file import read_gguf

    tokens = read_gguf(path).metadata["tokenizer.ggml.tokens"].value
    assert isinstance(tokens, Sequence)
    return min(len(tokens), 50_000) // 2  # the first half holds no control tokens


def arguments_of(prog: str, description: str, *, at_once: str) -> argparse.ArgumentParser:
    """What each of them takes; `at_once` is the flag for how many texts at once."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, default=2, help="of each side (default 2)")
    parser.add_argument("--turns", type=int, default=5, help="of each (default 5)")
    parser.add_argument("--tokens", type=int, default=128, help="a text has (default 128)")
    parser.add_argument(
        at_once,
        type=lambda text: [int(part) for part in text.split(",")],
        default=[1, 4, 16],
        help="how many at once (default 1,4,16)",
    )
    parser.add_argument(
        "--server", type=Path, help="a llama-server program; default: the package xllamacpp's"
    )
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser


def asked_for(arguments: argparse.Namespace, at_once: int) -> dict[str, Any]:
    """What each side is started with, for so many texts at once."""
    return {
        "model": str(arguments.model),
        "context": max(4096, 1024 + at_once * (PROMPT + arguments.tokens + 64)),
        "threads": arguments.threads,
        "sequences": at_once,
        "server": arguments.server and str(arguments.server.resolve()),
    }


def in_turns(turns: int) -> Iterator[tuple[list[str], bool]]:
    """The sides in the order of each turn, and whether it counts: in the first one weights come
    from the disk, and threads begin.
    """
    for turn in range(turns + 1):
        yield sorted(("ours", "theirs"), reverse=bool(turn % 2)), turn > 0


def beside(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """The medians of the turns, and that of the turns' ratios."""
    return {
        "ours": statistics.median(ours),
        "llama-server": statistics.median(theirs),
        "ratio": statistics.median(a / b for a, b in zip(ours, theirs, strict=True)),
    }


def write_rows(path: Path | None, rows: list[dict[str, Any]]) -> None:
    """Write the figures, where somebody wants them."""
    if path is not None:
        path.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
