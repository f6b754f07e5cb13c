"""Our engine against llama-server, on one GGUF with the same threads, in turns.

    ./scripts/bench engine MODEL.gguf

llama-server is the one inside the package xllamacpp, which brings a llama.cpp build of its own
(say so beside the figures: other compiler flags make other figures). Each side runs in a process
of its own, with as many slots as there are texts; the one whose turn it is not sleeps. Texts are
greedy, never end by themselves, and have short prompts that are no two alike; theirs come by HTTP
in one piece, ours from threads as events. Figures are medians of the turns, ratios those of the
turns' ratios.

With `--flat` instead: what a token costs besides llama.cpp's own computing, from the 100th to
the 16,000th.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from qwq_gguf.engine.batching.engine import Engine
from qwq_gguf.engine.batching.generation import SharedGeneration
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.engine.writing import Writing
from qwq_gguf.sampling import Greedy, SamplerChain

GREEDY = SamplerChain((Greedy(),))
PROMPT = 16  # tokens of each text's prompt
LONG = 512  # of the prompt that is measured
PLACES = (100, 1000, 4000, 16_000)

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


def cpu_seconds(process: subprocess.Popen[str]) -> float:
    """What it has used of all cores; unlike time, hardly more on a busy machine."""
    fields = Path(f"/proc/{process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Ours:
    """A process with our engine: a line in, a line out."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", json.dumps(asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def run(self, prompts: Sequence[Sequence[int]], tokens: int) -> dict[str, float]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([prompts, tokens]) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()

    def _answer(self) -> dict[str, float]:
        assert self.process.stdout is not None
        value: dict[str, float] = json.loads(self.process.stdout.readline())
        return value


class Theirs:
    """A process with llama-server."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, json.dumps(asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        lines = iter(self.process.stdout.readline, "")
        self.address = next(line.split()[1] for line in lines if line.startswith("at "))
        self._open = build_opener(ProxyHandler({})).open

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


class Pieces:
    """A driver that makes an event of each token, and lets none end the text."""

    done = False

    def begin(self, generation: Writing) -> None:
        def goes_on(_token: int) -> bool:
            generation.force([PROMPT])
            return True

        generation.before_stop(goes_on)

    def feed(self, _token: int, piece: bytes) -> Iterator[bytes]:
        yield piece


def worker(asked: dict[str, Any]) -> None:
    """The other end of `Ours`."""
    model = Model.load(asked["model"], context=asked["context"], threads=asked["threads"])
    with model, Engine(model, sequences=asked["sequences"]) as engine:
        print("{}", flush=True)
        for line in sys.stdin:
            prompts, tokens = json.loads(line)
            made: list[SharedGeneration] = []
            began = time.perf_counter()

            def read(prompt: list[int], made: list[SharedGeneration], tokens: int) -> None:
                place = engine.sequence()
                generation = place.generate(prompt, GREEDY, seed=1, max_tokens=tokens)
                made.append(generation)
                for _ in generation.drive(Pieces()):
                    pass

            readers = [
                threading.Thread(target=read, args=(prompt, made, tokens)) for prompt in prompts
            ]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join()
            took = time.perf_counter() - began
            assert sum(each.tokens for each in made) == tokens * len(prompts)
            told = {
                "seconds": took,
                "prompt_seconds": made[0].prompt_seconds,
                "decode": made[0].tokens_per_second,
            }
            print(json.dumps(told), flush=True)


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


def compare(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    texts = Texts(vocabulary_size(arguments.model))
    rows: list[dict[str, Any]] = []
    for sequences in arguments.sequences:
        asked = {
            "model": str(arguments.model),
            "context": max(4096, 1024 + sequences * (PROMPT + arguments.tokens + 64)),
            "threads": arguments.threads,
            "sequences": sequences,
        }
        sides: dict[str, Any] = {"ours": Ours(asked), "theirs": Theirs(asked)}
        try:
            kinds = {f"{sequences} at once": (sequences, PROMPT, arguments.tokens)}
            if sequences == 1:
                kinds["a prompt"] = (1, LONG, 1)
            for kind, (count, length, tokens) in kinds.items():
                figures: dict[str, list[float]] = {"ours": [], "theirs": []}
                cpu: dict[str, list[float]] = {"ours": [], "theirs": []}
                for turn in range(arguments.turns + 1):
                    prompts = texts.take(count, length)
                    order = sorted(sides, reverse=bool(turn % 2))
                    for side in order:
                        before = cpu_seconds(sides[side].process)
                        told = sides[side].run(prompts, tokens)
                        used = cpu_seconds(sides[side].process) - before
                        if turn == 0:
                            continue  # weights come from the disk, threads begin
                        cpu[side].append(1000 * used / (length if tokens == 1 else count * tokens))
                        if tokens == 1:
                            figures[side].append(length / told["prompt_seconds"])
                        else:
                            figures[side].append(count * tokens / told["seconds"])
                rows.append(_row(kind, figures, cpu))
                print(_line(rows[-1]), flush=True)
        finally:
            for side in sides.values():
                side.close()
    return rows


def _row(kind: str, figures: dict[str, list[float]], cpu: dict[str, list[float]]) -> dict[str, Any]:
    ratios = [a / b for a, b in zip(figures["ours"], figures["theirs"], strict=True)]
    return {
        "what": kind,
        "ours": statistics.median(figures["ours"]),
        "llama-server": statistics.median(figures["theirs"]),
        "ratio": statistics.median(ratios),
        "cpu": {side: statistics.median(used) for side, used in cpu.items()},
        "turns": figures,
    }


def _line(row: dict[str, Any]) -> str:
    cpu = row["cpu"]
    return (
        f"{row['what']:14}{row['ours']:10.1f}{row['llama-server']:14.1f}{row['ratio']:8.2f}"
        f"{cpu['ours']:12.2f}{cpu['theirs']:10.2f}"
    )


def flat(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Our own time a token, at some lengths of the text, that of this thread alone."""
    context = PLACES[-1] + 512
    rows: list[dict[str, Any]] = []
    with Model.load(arguments.model, context=context, threads=arguments.threads) as model:
        session = Session(model)
        theirs = 0.0
        decode = session._context._decode

        def timed(batch: Any) -> int:
            nonlocal theirs
            began = time.thread_time()
            status = decode(batch)
            theirs += time.thread_time() - began
            return status

        session._context._decode = timed  # type: ignore[method-assign]
        generation = session.generate([PROMPT] * 8, GREEDY, seed=1, max_tokens=PLACES[-1])
        Pieces().begin(generation)
        window = 64
        own: list[float] = []
        since, before = time.thread_time(), theirs
        for number, _ in enumerate(generation, start=1):
            now = time.thread_time()
            own.append((now - since) - (theirs - before))
            since, before = now, theirs
            if number in PLACES:
                micro = statistics.median(own[-window:]) * 1e6
                rows.append({"token": number, "own microseconds": micro})
                print(f"token {number:6,}: {micro:6.1f} us of our own, sampling included")
    return rows


def main() -> int:
    if sys.argv[1:2] == ["--worker"]:
        worker(json.loads(sys.argv[2]))
        return 0
    parser = argparse.ArgumentParser(prog="scripts/bench engine", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, default=2, help="of each side (default 2)")
    parser.add_argument("--turns", type=int, default=5, help="of each (default 5)")
    parser.add_argument("--tokens", type=int, default=128, help="a text has (default 128)")
    parser.add_argument(
        "--sequences",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[1, 4, 16],
        help="how many at once (default 1,4,16)",
    )
    parser.add_argument("--flat", action="store_true", help="our own cost along a long text")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    if arguments.flat:
        rows = flat(arguments)
    else:
        print(f"{arguments.model.name}, {arguments.threads} threads; tokens a second\n")
        print("                                            CPU milliseconds a token")
        print("                    ours  llama-server   ratio        ours    theirs")
        rows = compare(arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
