"""Where the files of a checkpoint may lie: inside its folder, or among a Hub cache's blobs.

Whoever made a folder chose its names and its links. A chat template that is a link to
/proc/self/environ would carry the tokens of whoever converts it into a file that is
then published.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from qwq_gguf.errors import SourceError
from qwq_gguf.files.reading import open_file

__all__ = ["check_inside", "file_inside", "lies_inside"]

_SYSTEM = ("/proc/", "/dev/", "/sys/")  # what lies there is nobody's file to copy
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def lies_inside(path: Path, folder: Path) -> bool:
    """Whether what `path` leads to may belong to the checkpoint in `folder`.

    The cache of the Hub links each file of a snapshot to `blobs/` of the same repository,
    and this may be a link to the `blobs/xx/` that all repositories share. An older
    `hf download --local-dir` left links to such blobs in folders of any name.
    """
    home, target = folder.resolve(), path.resolve()
    if target.is_relative_to(home):
        return True
    repository = home.parent.parent
    places = (repository / "blobs", repository.parent / "blobs" / target.name[:2])
    if home.parent.name == "snapshots" and target.parent in places:
        return True
    blobs = target.parent
    return (
        blobs.name == "blobs"
        and blobs.parent.name.startswith("models--")
        and _DIGEST.fullmatch(target.name) is not None
    )


def check_inside(path: Path, folder: Path, error: type[SourceError]) -> None:
    """Raise `error` for a link that leads out of the checkpoint, or to nothing."""
    if not lies_inside(path, folder):
        raise error(
            "this link leads out of the checkpoint",
            path=path,
            found=f"a link to {os.path.realpath(path)}",
            expected="a file in the same folder, or one of the Hub's cache",
            hint=_cure(path),
        )
    if not path.exists():
        raise error(
            "this link leads to nothing",
            path=path,
            found=f"a link to {os.path.realpath(path)}",
            hint="download the file again",
        )


def _cure(path: Path) -> str:
    target = os.path.realpath(path)
    if not path.is_symlink():  # a folder on the way is one
        return "put the files themselves here"
    if target.startswith(_SYSTEM) or not Path(target).is_file():
        return "take the link away, or download the checkpoint again"
    copy = shlex.join(["cp", target, str(path)])
    return f"if the link is your own: {shlex.join(['rm', str(path)])} && {copy}"


def file_inside(folder: Path, name: str, error: type[SourceError]) -> Path | None:
    """The file of this name, None where there is none.

    `error` for a link that leads out of the folder, and for what is no regular file.
    """
    path = folder / name
    if not os.path.lexists(path):
        return None
    check_inside(path, folder, error)
    try:
        os.close(open_file(path))
    except OSError as problem:
        raise error(f"cannot be read: {problem.strerror or problem}", path=path) from problem
    return path
