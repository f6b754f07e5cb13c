"""Where shards come from while a run goes on, and where they go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

__all__ = ["OnDisk", "Supply"]


class Supply(Protocol):
    """Has the shards of a checkpoint there when they are read.

    `by_shard` says that a shard should be read to its end before the next is begun, even
    if the file that is made is then not written from its beginning to its end.
    """

    @property
    def by_shard(self) -> bool: ...

    def begin(self, shards: Sequence[Path]) -> None:
        """These will be needed, in this order. Called once, before anything is read."""

    def bring(self, shard: Path) -> None:
        """Return when the shard is whole at its path; raise what kept it from coming.

        Called by reader threads, any number of times for the same shard.
        """

    def done(self, shard: Path) -> None:
        """All that is made of the shard is on the disk for good, in every file.

        From any thread. A later `bring` may wait for it.
        """

    def stop(self, problem: BaseException | None = None) -> None:
        """The run ends early: end every `bring` that waits, with `problem` or an error.

        From any thread, and more than once.
        """


class OnDisk:
    """Shards that are there and stay."""

    by_shard = False

    def begin(self, shards: Sequence[Path]) -> None:
        """Nothing to do."""

    def bring(self, shard: Path) -> None:
        """It is there, or reading it will say what is wrong."""

    def done(self, shard: Path) -> None:
        """It stays."""

    def stop(self, problem: BaseException | None = None) -> None:
        """Nothing waits."""
