"""What is to be asked of which models, as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qwq_gguf.jobs.contexts import USUAL, ContextWish
from qwq_gguf.jobs.speculating import SpeculationWish

__all__ = ["Evaluating"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluating:
    """What is to be asked, of whom, and how.

    `sources` are models; `suites` are names, files of questions, or FORMAT:FILE; `profiles` are
    names, auto among them; `governors` are `default`, `off` or keys (evaluation/asking/governors).
    `samples` are the replies to each question, `limit` the questions of each skill; `append` is
    said after each question. `parallel` replies are made at once (default: 4, or 1 with
    `guessing`). `out` gets each reply as a JSON line as soon as it is made: a run of the same is
    gone on with, any other file there is replaced with `force` only. With `traces` the lines have
    the tokens. `command` is what the record of the run says it was made by.
    """

    sources: Sequence[str]
    suites: Sequence[str]
    profiles: Sequence[str] = ("auto",)
    governors: Sequence[str] = ("default",)
    samples: int = 1
    limit: int | None = None
    seed: int = 0
    parallel: int | None = None
    max_tokens: int | None = None
    effort: str | None = None
    append: str | None = None
    context: int | None = None
    gpu_layers: int | None = None
    threads: int | None = None
    wish: ContextWish = USUAL
    guessing: SpeculationWish | None = None
    out: Path | None = None
    force: bool = False
    traces: bool = False
    revision: str | None = None
    token: str | None = None
    command: str | None = None
