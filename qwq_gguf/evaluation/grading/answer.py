"""What of an answer is graded: what stands after a thought, and what is boxed. Pure."""

from __future__ import annotations

import re

__all__ = ["MOST", "after_thought", "boxed"]

MOST = 100_000
"""Characters at the end of an answer that any grader looks at."""

_BRACE = re.compile(r"[{}]")
_THOUGHT_ENDS = re.compile(r"</(?:think|thinking|thought)>")
_THOUGHT_BEGINS = re.compile(r"<(?:think|thinking|thought)>")


def after_thought(answer: str) -> str:
    """`answer` without a thought that was left in it, and not more than its last `MOST`."""
    return _THOUGHT_BEGINS.split(_THOUGHT_ENDS.split(answer[-MOST:])[-1])[0]


def boxed(text: str) -> str | None:
    r"""The content of the last complete ``\boxed{...}`` in `text`, or None.

    Braces inside the box are balanced, so ``\boxed{\frac{1}{2}}`` comes out whole.
    """
    text = text[-MOST:]
    best: tuple[int, int] | None = None
    opened: list[int] = []  # where each brace that is still open stands
    for match in _BRACE.finditer(text):
        at = match.end() - 1
        if text[at] == "{":
            opened.append(at)
        elif opened:
            start = opened.pop()
            if text.endswith(("\\boxed", "\\fbox"), 0, start) and (best is None or start > best[0]):
                best = (start, at)
    return None if best is None else text[best[0] + 1 : best[1]].strip()
