"""Our engine against llama-server, on one GGUF with the same threads, in turns.

    ./scripts/bench engine MODEL.gguf

llama-server is the one inside the package xllamacpp, which brings a llama.cpp build of its own
(say so beside the figures: other compiler flags make other figures), or the program that
`--server` names. Each side runs in a process of its own, with as many slots as there are texts; the
one whose turn it is not sleeps. Texts are greedy, never end by themselves, and have short prompts
that are no two alike; theirs come by HTTP in one piece, ours from threads as events. Figures are
medians of the turns, ratios those of the turns' ratios.

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
from pathlib import Path
from typing import Any

from bench_beside import (
    PROMPT,
    LlamaServer,
    Texts,
    arguments_of,
    asked_for,
    beside,
    in_turns,
    vocabulary_size,
    write_rows,
)

from qwq_gguf.engine.batching.engine import Engine
from qwq_gguf.engine.batching.generation import SharedGeneration
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.engine.writing import Writing
from qwq_gguf.sampling import Greedy, SamplerChain

GREEDY = SamplerChain((Greedy(),))
LONG = 512  # of the prompt that is measured
PLACES = (100, 1000, 4000, 16_000)


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


def compare(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    texts = Texts(vocabulary_size(arguments.model))
    rows: list[dict[str, Any]] = []
    for sequences in arguments.sequences:
        asked = asked_for(arguments, sequences)
        sides: dict[str, Any] = {"ours": Ours(asked), "theirs": LlamaServer(asked)}
        try:
            kinds = {f"{sequences} at once": (sequences, PROMPT, arguments.tokens)}
            if sequences == 1:
                kinds["a prompt"] = (1, LONG, 1)
            for kind, (count, length, tokens) in kinds.items():
                figures: dict[str, list[float]] = {"ours": [], "theirs": []}
                cpu: dict[str, list[float]] = {"ours": [], "theirs": []}
                for order, counts in in_turns(arguments.turns):
                    prompts = texts.take(count, length)
                    for side in order:
                        before = cpu_seconds(sides[side].process)
                        told = sides[side].run(prompts, tokens)
                        used = cpu_seconds(sides[side].process) - before
                        if not counts:
                            continue
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
    return {
        "what": kind,
        **beside(figures["ours"], figures["theirs"]),
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
    """Our own time a token, at some lengths of the text, that of this thread alone.

    Also with nothing computed between: what llama.cpp reads of a long cache drives what is ours
    out of the processor's.
    """
    return _flat(arguments, computes=True) + _flat(arguments, computes=False)


def _flat(arguments: argparse.Namespace, *, computes: bool) -> list[dict[str, Any]]:
    context = PLACES[-1] + 512
    rows: list[dict[str, Any]] = []
    between = "besides decoding" if computes else "with no decoding"
    with Model.load(arguments.model, context=context, threads=arguments.threads) as model:
        session = Session(model)
        theirs = 0.0
        own: list[float] = []
        decode = session._context._decode

        def timed(batch: Any) -> int:
            nonlocal theirs
            began = time.thread_time()
            # The first one leaves logits for all that follow.
            status = decode(batch) if computes or not own else 0
            theirs += time.thread_time() - began
            return status

        session._context._decode = timed  # type: ignore[method-assign]
        generation = session.generate([PROMPT] * 8, GREEDY, seed=1, max_tokens=PLACES[-1])
        Pieces().begin(generation)
        window = 64
        since, before = time.thread_time(), theirs
        for number, _ in enumerate(generation, start=1):
            now = time.thread_time()
            own.append((now - since) - (theirs - before))
            since, before = now, theirs
            if number in PLACES:
                micro = statistics.median(own[-window:]) * 1e6
                rows.append({"token": number, "decodes": computes, "own microseconds": micro})
                print(f"token {number:6,}: {micro:6.1f} us, sampling included, {between}")
    return rows


def main() -> int:
    if sys.argv[1:2] == ["--worker"]:
        worker(json.loads(sys.argv[2]))
        return 0
    parser = arguments_of("scripts/bench engine", __doc__, at_once="--sequences")
    parser.add_argument("--flat", action="store_true", help="our own cost along a long text")
    arguments = parser.parse_args()
    if arguments.flat:
        rows = flat(arguments)
    else:
        print(f"{arguments.model.name}, {arguments.threads} threads; tokens a second\n")
        print("                                            CPU milliseconds a token")
        print("                    ours  llama-server   ratio        ours    theirs")
        rows = compare(arguments)
    write_rows(arguments.json, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
