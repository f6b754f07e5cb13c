"""Many clients at one server, a third of them rude: no place is lost, and nobody else notices.

Well-behaved ones ask greedily and must get what they get from a quiet server, whatever others do.
Rude ones go away in the middle, send half a request and wait, send a mutated body, or take nothing.
"""

from __future__ import annotations

import json
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from support.demo import make_demo
from support.http_client import ask, open_stream
from support.serving import Running, running

__all__ = ["add_arguments", "serve"]

CHAT = "/v1/chat/completions"
QUESTIONS = ("What is 7*43?", "What is 12+34?", "Which is larger, 9.9 or 9.11?", "What is 6*7?")


def add_arguments(parser: Any) -> None:
    """The flags of this run."""
    parser.add_argument("--requests", type=int, default=20_000, help="bodies changed at random")
    parser.add_argument("--described", type=int, default=100, help="requests an operation")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))


def serve(clients: int, minutes: float, seed: int) -> None:
    """Print what was tried; fail for a wrong answer, a fault of the server or a lost place."""
    with tempfile.TemporaryDirectory() as folder:
        models = {"demo": make_demo(Path(folder))}
        with running(models, context=8192, sequences=8) as server:
            quiet = {question: _answer(server, question) for question in QUESTIONS}
            run = _Run(server, quiet, time.monotonic() + minutes * 60)
            _warm(run)
            before = _memory()
            threads = [
                threading.Thread(target=run.client, args=(seed + number, number % 3 == 0))
                for number in range(clients)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            free = _until_free(server)
            grown = _memory() - before
            again = {question: _answer(server, question) for question in QUESTIONS}
    print(f"{clients} clients for {minutes:g} minutes, seeds from {seed}")
    for what, count in sorted(run.counts.items()):
        print(f"  {what}: {count:,}")
    print(f"  memory grew by {grown / 2**20:.0f} MiB; every place is free again: {free}")
    for wrong in run.wrong[:10]:
        print(f"  WRONG: {wrong}")
    if run.wrong or not free or again != quiet or grown > 64 << 20:
        sys.exit(1)


class _Run:
    """What all clients share."""

    def __init__(self, server: Running, quiet: dict[str, str], until: float) -> None:
        self.server, self.quiet, self.until = server, quiet, until
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def client(self, seed: int, rude: bool) -> None:
        dice = random.Random(seed)
        while time.monotonic() < self.until:
            act = dice.choice((_goes_away, _stalls, _rubbish, _half)) if rude else _well
            try:
                self.counts[f"{act.__name__.strip('_')}: {act(self, dice)}"] += 1
            except Exception as error:
                self.wrong.append(f"{act.__name__}: {type(error).__name__}: {error}")


def _body(dice: random.Random, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": dice.choice(QUESTIONS)}]
    return {"messages": messages, "temperature": 0, "seed": 1} | more


def _answer(server: Running, question: str) -> str:
    body = {"messages": [{"role": "user", "content": question}], "temperature": 0, "seed": 1}
    told = ask(server.port, CHAT, body)
    if told.status == 429:
        return ""
    message = told.json["choices"][0]["message"]
    return str(message["content"])


def _well(run: _Run, dice: random.Random) -> str:
    question = dice.choice(QUESTIONS)
    said = _answer(run.server, question)
    if said and said != run.quiet[question]:
        run.wrong.append(f"{question}: {said!r} and not {run.quiet[question]!r}")
    return "answered" if said else "told to come later"


def _goes_away(run: _Run, dice: random.Random) -> str:
    sock, lines = open_stream(run.server.port, CHAT, _body(dice, stream=True))
    with sock:
        for _ in range(dice.randrange(12)):
            next(lines, b"")
    lines.close()  # type: ignore[attr-defined]
    return "gone"


def _stalls(run: _Run, dice: random.Random) -> str:
    sock, lines = open_stream(run.server.port, CHAT, _body(dice, stream=True, n=2))
    with sock:
        time.sleep(dice.random())
    lines.close()  # type: ignore[attr-defined]
    return "took nothing"


def _half(run: _Run, dice: random.Random) -> str:
    head = f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500\r\n\r\n{{".encode()
    with socket.create_connection(("127.0.0.1", run.server.port), timeout=60) as sock:
        sock.sendall(head[: dice.randrange(1, len(head))])
        time.sleep(dice.random() / 2)
    return "half a request"


def _rubbish(run: _Run, dice: random.Random) -> str:
    body = bytearray(json.dumps(_body(dice, max_tokens=8, stop=["x"], tools=[])).encode())
    for _ in range(dice.randint(1, 5)):
        at = dice.randrange(len(body))
        body[at : at + dice.randrange(3)] = dice.choice((b"[", b"}", b'"', b"-1", b"null", b"\xff"))
    status = ask(run.server.port, CHAT, bytes(body)).status
    if status not in (200, 400, 404, 429):
        run.wrong.append(f"{status} for {bytes(body)!r}")
    return str(status)


def _warm(run: _Run) -> None:
    """What is made once, threads above all, is no leak."""
    dice = random.Random(0)
    threads = [threading.Thread(target=_well, args=(run, dice)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _until_free(server: Running) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        gauges = server.service.gauges()
        if not gauges["queue"] and not gauges["slots_busy"]:
            return True
        time.sleep(0.05)
    return False


def _memory() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096
