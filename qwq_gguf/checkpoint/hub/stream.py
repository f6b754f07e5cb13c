"""A checkpoint whose shards pass by: which they are, and the room that they take.

They lie in a folder beside the result and not in the Hub's cache. A shard that is in the
cache already is used from there, and stays.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

from qwq_gguf.checkpoint.hub.fetch import SPARE
from qwq_gguf.checkpoint.hub.snapshot import HubFile, HubSnapshot
from qwq_gguf.checkpoint.hub.stream_folder import taken
from qwq_gguf.checkpoint.values import Checkpoint
from qwq_gguf.errors import DiskSpaceError
from qwq_gguf.words import human_bytes

__all__ = [
    "AT_ONCE",
    "Groups",
    "check_room",
    "is_streamed",
    "most_at_once",
    "peak_bytes",
    "shard_bytes",
    "shard_file",
    "streamed",
    "streaming",
    "unlisted",
]

Groups: TypeAlias = frozenset[frozenset[Path]]
"""Shards that have to be there together: some weight is in one, its scales in another."""


def streamed(checkpoint: Checkpoint, folder: Path) -> Checkpoint:
    """The checkpoint with all shards in `folder` that are not in the Hub's cache.

    For a checkpoint of the Hub; one on this disk comes back as it is.
    """
    hub = checkpoint.hub
    if hub is None:
        return checkpoint
    absent = {path for path in checkpoint.shards if not hub.is_here(hub.name_of(path))}
    if absent and hub.problem is not None:
        raise hub.problem
    return replace(
        checkpoint,
        hub=replace(hub, stream=folder),
        tensors={
            name: replace(info, shard=folder / hub.name_of(info.shard))
            if info.shard in absent
            else info
            for name, info in checkpoint.tensors.items()
        },
    )


AT_ONCE = 2
"""Shards that lie on the disk as a rule: the one that is worked on and the one that comes."""


def most_at_once(shards: Sequence[Path], groups: Groups) -> int:
    """How many of these shards, which come in this order, have to lie on the disk at one time.

    More than two where weights and their scales are so far apart: each shard stays until all
    have come that one of `groups` has it together with.
    """
    return max((AT_ONCE, *(len(each) for each in _together(shards, groups))))


def _together(shards: Sequence[Path], groups: Groups) -> list[tuple[int, ...]]:
    """When each shard comes, it and those before it that are still needed, by their numbers."""
    numbers = {shard: number for number, shard in enumerate(shards)}
    until = list(range(len(shards)))
    for group in groups:
        inside = [numbers[shard] for shard in group if shard in numbers]
        for number in inside:
            until[number] = max(until[number], *inside)
    found: list[tuple[int, ...]] = []
    for number in range(len(shards)):
        before = found[-1] if found else ()
        found.append((*(each for each in before if until[each] >= number), number))
    return found


def peak_bytes(
    checkpoint: Checkpoint, shards: Iterable[Path] | None = None, groups: Groups = frozenset()
) -> int:
    """The most that the streamed ones of `shards` (default: all) take at one time.

    Two that follow each other: the one that is worked on and the one that comes. Where
    `groups` have others to lie there together, as many of the largest.
    """
    paths = [
        path
        for path in (checkpoint.shards if shards is None else shards)
        if is_streamed(checkpoint, path)
    ]
    sizes = [shard_bytes(checkpoint, path) for path in paths]
    apart = any(each[-1] - each[0] > 1 for each in _together(paths, groups))
    if apart:
        return sum(sorted(sizes)[-most_at_once(paths, groups) :])
    return max((sum(pair) for pair in pairwise(sizes)), default=sum(sizes))


def unlisted(checkpoint: Checkpoint) -> list[str]:
    """The streamed shards of which the Hub lists no digest."""
    files = [shard_file(checkpoint, p) for p in checkpoint.shards if is_streamed(checkpoint, p)]
    return [file.name for file in files if file.sha256 is None and file.blob is None]


def check_room(
    checkpoint: Checkpoint,
    result: int,
    *,
    present: int = 0,
    shards: Iterable[Path] | None = None,
    groups: Groups = frozenset(),
) -> None:
    """DiskSpaceError, with the figures, where the result and two of `shards`, or what `groups`
    have to lie there together, will not fit.

    `result` is the bytes of all files to be written beside the folder of the shards, of which
    `present` have their room already. So have shards that an earlier run left. `shards` are
    those that will be needed, unless given all.
    """
    folder = streaming(checkpoint)[1]
    peak = peak_bytes(checkpoint, shards, groups)
    try:
        free = shutil.disk_usage(folder.parent).free
    except OSError:  # not every filesystem tells
        return
    taken_already = min(present, result) + min(taken(folder), peak)
    needed, usable = result + peak + SPARE, free + taken_already
    if needed <= usable:
        return
    of_result = f"{result:,} for the result, " if result else ""
    raise DiskSpaceError(
        f"this needs {human_bytes(needed)}, and the disk has {human_bytes(usable)} for it",
        path=folder.parent.absolute(),
        found=f"{free:,} bytes free"
        + (f", and {taken_already:,} bytes taken for this already" if taken_already else ""),
        expected=f"{needed:,} bytes: {of_result}{peak:,} for the shards at one time, "
        f"{SPARE:,} to spare",
        hint="make room, name an OUT on another disk, or choose a smaller recipe",
    )


def streaming(checkpoint: Checkpoint) -> tuple[HubSnapshot, Path]:
    """Of a `streamed` checkpoint, what of the Hub it is and the folder of its shards."""
    hub = checkpoint.hub
    if hub is None or hub.stream is None:
        raise ValueError("this is no streamed checkpoint")
    return hub, hub.stream


def is_streamed(checkpoint: Checkpoint, shard: Path) -> bool:
    """Whether this shard comes and goes; else it is in the cache and stays."""
    return shard.is_relative_to(streaming(checkpoint)[1])


def shard_file(checkpoint: Checkpoint, shard: Path) -> HubFile:
    """What the Hub lists of a shard."""
    hub = streaming(checkpoint)[0]
    return hub.files[hub.name_of(shard)]


def shard_bytes(checkpoint: Checkpoint, shard: Path) -> int:
    """As listed, else where its last tensor ends: safetensors have nothing behind it."""
    listed = shard_file(checkpoint, shard).size
    if listed is not None:
        return listed
    infos = checkpoint.tensors.values()
    return max(info.start + info.nbytes for info in infos if info.shard == shard)
