"""Replies of a model that misbehaves in every way we know, under governors drawn at random."""

from __future__ import annotations

import sys
from collections import Counter

from qwq_gguf.engine.replies.closing import OPENER
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
    if empty:
        sys.exit(1)
