"""What a run is to make: a plan, where it goes, and who reads along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from qwq_gguf.gguf_file.splits import part_path, whole_path
from qwq_gguf.quantization.planning.plan import PartPlan, Plan

__all__ = ["Follower", "Target"]


class Follower(Protocol):
    """Reads a file while it is written, on a descriptor that it duplicates."""

    def begin(self, part: PartPlan, path: Path, descriptor: int) -> None:
        """`part` is about to be written to this open file of its final size."""

    def written(self, start: int, nbytes: int) -> None:
        """A range of the file is written. From any thread."""


@dataclass(frozen=True, slots=True)
class Target:
    """A plan and where it is to be written; `follow` has one follower a part, or none.

    The parts of a split plan lie beside `path`, under llama.cpp's names for them. `about`
    are sections of JSON that say what else the file is made of, such as the recipe's text:
    an unfinished file is gone on with only where they are the same (see writing/fingerprint.py).
    """

    plan: Plan
    path: Path
    follow: tuple[Follower, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, in the order of the plan's parts."""
        return self.split_paths(len(self.plan.parts))

    def split_paths(self, count: int) -> tuple[Path, ...]:
        """The files of a plan in `count` parts."""
        if count == 1:
            return (self.path,)
        return tuple(part_path(self.path, number, count) for number in range(count))

    @property
    def journal(self) -> Path:
        """The journal of its unfinished files, the same for any number of parts."""
        return self.path.with_name(f".{whole_path(self.path).name}.journal")
