"""What the demo model's training met, although it is held out.

The training left out problems by key, and a key names the skill, the order and the zeros of its
numbers. So some contents that are held out as one problem were met as another, or as a line of
some longer work. `contamination.txt` lists them all, sorted; scripts/train_demo/seen.py draws the
training again to write and to check it. It says nothing of other models, nor of a demo trained
anew.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from qwq_gguf.evaluation.suites.equivalence import content, is_step

__all__ = ["met_contents", "was_met"]


@cache
def met_contents() -> frozenset[str]:
    """The contents of `contamination.txt`: each is asked by some held-out problem and was met."""
    listed = (
        files("qwq_gguf.evaluation.suites")
        .joinpath("contamination.txt")
        .read_text(encoding="utf-8")
    )
    return frozenset(listed.split())


def was_met(key: str) -> bool:
    """Whether training stated what a held-out problem asks, in another guise or as a step."""
    asked = content(key)
    return is_step(asked) or asked in met_contents()
