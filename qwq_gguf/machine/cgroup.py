"""The control groups of this process: where a container's or a service's limits stand (Linux).

Every group that the process is in, up to the root, may have limits of its own, and the least
counts. https://man7.org/linux/man-pages/man7/cgroups.7.html; the files of version 2 are those of
the kernel's admin-guide/cgroup-v2.rst, of version 1 those below admin-guide/cgroup-v1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

__all__ = ["Group", "groups", "number_in", "statistics"]

_MOST_BYTES = 1 << 20
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Group:
    """The folder of a control group, and the version of its files."""

    folder: Path
    version: int


def groups(root: Path, controller: str) -> tuple[Group, ...]:
    """The groups that bound this process in `controller` (`cpu`, `memory`), innermost first.

    `root` is where /proc and /sys are looked for. Without mounts that can be told, /sys/fs/cgroup
    itself is looked at, where containers see their own.
    """
    paths = _paths(root)
    found: dict[Path, Group] = {}
    for group in _mounted(root, controller, paths):
        found.setdefault(group.folder, group)
    if not found:
        found = {group.folder: group for group in _usual(root, controller)}
    return tuple(found.values())


def number_in(path: Path) -> int | None:
    """The number that a file holds; None for none, such as "max"."""
    try:
        return int(_text(path))
    except ValueError:
        return None


def statistics(path: Path) -> dict[str, int]:
    """A file of names and numbers, such as memory.stat."""
    rows = (line.split() for line in _text(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdecimal()}


def _paths(root: Path) -> dict[str, PurePosixPath]:
    """The process's path in the hierarchy of each controller of version 1; in "" that of 2."""
    found: dict[str, PurePosixPath] = {}
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if colon:
            found |= {name: PurePosixPath(path) for name in controllers.split(",")}
    return found


def _mounted(root: Path, controller: str, paths: dict[str, PurePosixPath]) -> Iterator[Group]:
    for line in _text(root / "proc/self/mountinfo").splitlines():
        before, dash, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if not dash or len(fields) < 5 or len(kind) < 3:
            continue
        if kind[0] == "cgroup2":
            version, path = 2, paths.get("")
        elif kind[0] == "cgroup" and controller in kind[2].split(","):
            version, path = 1, paths.get(controller)
        else:
            continue
        mounted, place = (_OCTAL.sub(_character, each) for each in fields[3:5])
        top = root / place.lstrip("/")
        inner = _within(path, PurePosixPath(mounted))
        for each in (inner, *inner.parents):
            # A container may see its own group only, under a path that is the host's.
            if (top / each).is_dir():
                yield Group(top / each, version)


def _within(path: PurePosixPath | None, mounted: PurePosixPath) -> PurePosixPath:
    """Where a group lies below a mount of the part `mounted` of its hierarchy."""
    if path is None or ".." in path.parts:
        return PurePosixPath()
    try:
        return path.relative_to(mounted)
    except ValueError:
        return path.relative_to("/") if path.is_absolute() else PurePosixPath()


def _usual(root: Path, controller: str) -> Iterator[Group]:
    top = root / "sys/fs/cgroup"
    yield Group(top, 2)
    yield Group(top / controller, 1)


def _character(found: re.Match[str]) -> str:
    return chr(int(found[1], 8))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
