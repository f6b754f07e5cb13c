"""Our server against llama-server: the same GGUF, threads, slots and requests, in turns.

    ./scripts/bench serve MODEL.gguf

Both answer streamed `/v1/completions` over HTTP, greedily, of as many tokens each, none of which
ends the text; prompts are short, and no two begin alike. Each runs in a process of its own, and
the one whose turn it is not sleeps. llama-server is the one inside the package xllamacpp, which
brings a llama.cpp build of its own (say so beside the figures), or the program that `--server`
names. Told are medians of the turns:
tokens a second of all clients together, seconds to the first token, and the longest of a hundred
waits between two tokens.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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

_CONTROL = 3  # the type of such tokens in a GGUF
_COMMAND = "from qwq_gguf.cli.main import main; main()"


class Ours:
    """A process with `qwq-gguf serve`."""

    def __init__(self, asked: dict[str, Any]) -> None:
        flags = ["-q", "--port", "0", "-c", asked["context"], "-t", asked["threads"]]
        more = ["--parallel", asked["sequences"]]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, "serve", asked["model"], *map(str, flags + more)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


def stream(address: str, body: dict[str, Any]) -> list[float]:
    """The times at which a streamed answer's chunks came, the request's own first.

    RuntimeError where it has other tokens than as many as were asked for: then it is no measure.
    """
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=3600)
    times = [time.perf_counter()]
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/v1/completions", json.dumps(body).encode(), headers)
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(response.read()[:500])
    made = None
    for line in response:
        if line.startswith(b"data: {") and b'"choices":[]' not in line:
            times.append(time.perf_counter())
        if b'"usage":{' in line:
            made = json.loads(line[6:])["usage"]["completion_tokens"]
    connection.close()
    if made != body["max_tokens"]:
        raise RuntimeError(f"{made} tokens and not {body['max_tokens']}")
    return times


def run(
    address: str, prompts: Sequence[Sequence[int]], tokens: int, biases: dict[str, float]
) -> dict[str, float]:
    """One turn: all prompts at once."""
    bodies = [
        {
            "prompt": prompt,
            "max_tokens": tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            "logit_bias": biases,
            "presence_penalty": 0,
            "frequency_penalty": 0,
            "repeat_penalty": 1,
            "cache_prompt": False,
        }
        for prompt in prompts
    ]
    began = time.perf_counter()
    with ThreadPoolExecutor(len(bodies)) as pool:
        times = list(pool.map(lambda body: stream(address, body), bodies))
    took = time.perf_counter() - began
    waits = sorted(b - a for each in times for a, b in pairwise(each[1:]))
    return {
        "tokens/s": tokens * len(prompts) / took,
        "first token s": statistics.median(each[1] - each[0] for each in times),
        "tail ms": 1000 * waits[int(len(waits) * 0.99)],
    }


def biases_of(path: Path) -> dict[str, float]:
    """Every token that could end a text, forbidden."""
    from qwq_gguf.gguf_file import read_gguf

    kinds = read_gguf(path).metadata["tokenizer.ggml.token_type"].value
    assert isinstance(kinds, Sequence)
    return {str(token): -100.0 for token, kind in enumerate(kinds) if kind == _CONTROL}


def compare(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    texts = Texts(vocabulary_size(arguments.model))
    biases = biases_of(arguments.model)
    rows: list[dict[str, Any]] = []
    print(f"{'clients':>8} {'':14}{'ours':>10}{'llama-server':>14}{'ratio':>8}")
    for clients in arguments.clients:
        asked = asked_for(arguments, clients)
        sides: dict[str, Ours | LlamaServer] = {"ours": Ours(asked), "theirs": LlamaServer(asked)}
        try:
            told: dict[str, list[dict[str, float]]] = {"ours": [], "theirs": []}
            for order, counts in in_turns(arguments.turns):
                prompts = texts.take(clients, PROMPT)
                for side in order:
                    figures = run(sides[side].address, prompts, arguments.tokens, biases)
                    if counts:
                        told[side].append(figures)
            for what in told["ours"][0]:
                ours, theirs = ([each[what] for each in told[side]] for side in ("ours", "theirs"))
                row = {"clients": clients, "what": what, **beside(ours, theirs)}
                rows.append(row)
                print(
                    f"{clients:8} {what:14}{row['ours']:10.2f}{row['llama-server']:14.2f}"
                    f"{row['ratio']:8.2f}",
                    flush=True,
                )
        finally:
            for each in sides.values():
                each.close()
    return rows


def main() -> int:
    arguments = arguments_of("scripts/bench serve", __doc__, at_once="--clients").parse_args()
    write_rows(arguments.json, compare(arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
