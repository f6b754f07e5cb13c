"""Replies of models that misbehave in every way we know, under governors drawn at random, and
turns of models that call tools as badly.
"""

from __future__ import annotations

import sys
from collections import Counter

from qwq_gguf.engine.replies.closing import OPENER
from support.callers import drawn_caller, reply_of_caller
from support.unruly import answered, drawn_case, reply_to

__all__ = ["govern"]


def govern(count: int, seed: int) -> None:
    """Ask `count` times, print how thoughts and replies ended; fail for an empty reply."""
    ended: Counter[str] = Counter()
    finished: Counter[str] = Counter()
    cancelled = empty = given = tokens = 0
    for number in range(seed, seed + count):
        case = drawn_case(number)
        response = reply_to(case)
        tokens += response.thinking_tokens + response.answer_tokens
        ended[str(response.thought_ended)] += 1
        finished[str(response.finish_reason)] += 1
        if case.cancelled_at is not None:
            cancelled += 1
        elif not answered(response):
            empty += 1
            print(f"no answer: {case}")
        given += response.answer.strip() == OPENER
    print(f"{count:,} governed replies, {tokens:,} tokens, seeds from {seed}")
    for title, counts in (("thoughts ended", ended), ("replies finished", finished)):
        print(f"  {title}: " + ", ".join(f"{why} {n:,}" for why, n in counts.most_common()))
    print(f"  cancelled: {cancelled:,}; nothing but the word they were given: {given:,}")
    print(f"  empty, and not cancelled: {empty:,}")
    empty += _call_tools(max(1, count // 10), seed)
    if empty:
        sys.exit(1)


def _call_tools(count: int, seed: int) -> int:
    """Turns with tools; how many had no answer."""
    finished: Counter[str] = Counter()
    asked = composed = empty = 0
    for number in range(seed, seed + count):
        case = drawn_caller(number)
        reply, rounds = reply_of_caller(case)
        asked += rounds
        finished[str(reply.finish_reason)] += 1
        composed += "There is no " in reply.answer
        if not reply.answer.strip():
            empty += 1
            print(f"no answer: {case}")
    print(f"{count:,} turns with tools, in {asked:,} rounds, seeds from {seed}")
    print("  finished: " + ", ".join(f"{why} {n:,}" for why, n in finished.most_common()))
    print(f"  answered with what the tools had said: {composed:,}; empty: {empty:,}")
    return empty
