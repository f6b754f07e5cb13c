"""The header of a GGUF on the Hub, read without its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from qwq_gguf.checkpoint.files import MIB
from qwq_gguf.checkpoint.hub.snapshot import HubSnapshot
from qwq_gguf.checkpoint.resolve import LocatedGguf
from qwq_gguf.errors import GgufError, HubConnectionError, HubError
from qwq_gguf.temporary import temporary_folder

__all__ = ["peek_gguf"]

# The vocabulary fills a header: 6 MB for Qwen's 152,000 tokens, 8 for Llama's 128,000.
_FIRST_READ = 12 * MIB
_LAST_READ = 192 * MIB


@contextmanager
def peek_gguf(located: LocatedGguf, header_end: Callable[[Path], int]) -> Iterator[Path]:
    """A path to read the header of `located` from, as long as the context lasts.

    The file itself, where it is on this disk; else a file of the same size in a temporary
    folder that holds the header alone, the rest being a hole. `header_end` reads a header
    and says where it ends (in bytes), or raises GgufError: with that, more is fetched until
    the header is whole, so a large one costs several requests and a small one little.
    """
    if located.hub is None or located.hub.is_here(located.hub.name_of(located.path)):
        yield located.path
        return
    if located.hub.problem is not None:
        raise located.hub.problem
    with temporary_folder() as folder:
        copy = Path(folder, located.path.name)
        _copy_header(located.hub, located.path, copy, header_end)
        yield copy


def _copy_header(
    snapshot: HubSnapshot, path: Path, copy: Path, header_end: Callable[[Path], int]
) -> None:
    from qwq_gguf.checkpoint.hub.http import get_start

    name = path.relative_to(snapshot.folder).as_posix()
    listed = snapshot.files[name].size
    count = _FIRST_READ
    while True:
        start = get_start(snapshot.hub, snapshot.repo, snapshot.commit, name, count)
        size = listed if start.size is None else start.size
        if size is None or (listed is not None and size != listed):
            raise HubConnectionError(
                "the file is not of the size that the Hub lists",
                path=f"{snapshot.repo}/{name}",
                found="unknown" if size is None else f"{size:,} bytes",
                expected=None if listed is None else f"{listed:,} bytes",
            )
        try:
            with copy.open("wb") as file:
                file.write(start.content)
                file.truncate(size)
        except OSError as problem:
            raise HubError(
                f"no copy of the header can be made: {problem.strerror or problem}",
                path=f"{snapshot.repo}/{name}",
                found=f"{size:,} bytes",
                hint="point TMPDIR to another disk",
            ) from problem
        whole = len(start.content) >= size or count >= _LAST_READ
        try:
            if header_end(copy) <= len(start.content) or whole:
                return
        except GgufError as error:
            # Cut where it is not whole, a header ends in nonsense.
            if whole:
                error.path = f"{snapshot.repo}/{name}"  # the copy is nobody's
                raise
        count *= 4
