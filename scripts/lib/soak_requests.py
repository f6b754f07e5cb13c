"""A server under requests that are broken in every way: no 500, no answer without words.

Bodies of all protocols are changed at random (`support/mutated.py`), and schemathesis makes others
of the server's own description. A well-behaved client gets afterwards what it got before.
"""

from __future__ import annotations

import importlib.util
import random
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

from support.demo import make_demo
from support.described import OPERATIONS, operation_test
from support.http_client import ask
from support.mutated import fault, mutated
from support.serving import Running, running

__all__ = ["requests"]

CHAT = "/v1/chat/completions"
ASK = {
    "messages": [{"role": "user", "content": "What is 7*43?"}],
    "temperature": 0,
    "max_tokens": 40,
}
_ALLOWED = (200, 400, 404, 413, 429)
_CLIENTS = 4


def requests(count: int, described: int, seed: int) -> None:
    """Print the answers by status; fail for one that may not be, or an error without words."""
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        models = {"demo": make_demo(Path(folder))}
        with running(models, context=256, sequences=_CLIENTS) as server:
            first = ask(server.port, CHAT, ASK).json["choices"]
            counts = _mutated(server, count, seed, wrong)
            again = ask(server.port, CHAT, ASK).json["choices"]
            document = ask(server.port, "/openapi.json").json
            there = importlib.util.find_spec("schemathesis") is not None
            for method, path in OPERATIONS if there and described else ():
                try:
                    operation_test(server.base, document, method, path, described, seed)()
                except Exception as error:
                    wrong.append(f"{method} {path}: {error}"[:1000])
    print(f"{count:,} bodies changed at random, seed {seed}")
    for (path, status), number in sorted(counts.items()):
        print(f"  {path} {status}: {number:,}")
    if there:
        print(f"{described} requests made of the description, for each of {len(OPERATIONS)} paths")
    else:
        print(
            "none made of the description: schemathesis is missing, which ./scripts/test installs"
        )
    if first != again:
        wrong.append("the well-behaved client got another answer afterwards")
    for each in wrong[:10]:
        print(f"  WRONG: {each}")
    if wrong:
        sys.exit(1)


def _mutated(server: Running, count: int, seed: int, wrong: list[str]) -> Counter[tuple[str, int]]:
    counts: Counter[tuple[str, int]] = Counter()

    def client(number: int) -> None:
        for each in range(number, count, _CLIENTS):
            dice = random.Random(f"{seed} {each}")
            path, raw = mutated(dice)
            try:
                told = ask(server.port, path, raw)
                counts[path, told.status] += 1
                if told.status not in _ALLOWED or fault(told.content):
                    wrong.append(f"{each}: {told.status} for {path} {raw[:600]!r}")
                elif told.status != 200 and not told.json["error"]["message"]:
                    wrong.append(f"{each}: no words for {path} {raw[:600]!r}")
            except Exception as error:
                wrong.append(f"{each}: {type(error).__name__} {error} for {path} {raw[:600]!r}")

    threads = [threading.Thread(target=client, args=(number,)) for number in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts
