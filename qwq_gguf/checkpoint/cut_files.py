"""Files that were cut with `split` to fit a size limit: no part of them is a GGUF by itself.

`model.gguf.part1of2` and `model.gguf-split-a` are bytes to be joined, other than the parts
`model-00001-of-00002.gguf`, each of which is a GGUF and is to be left alone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from qwq_gguf.errors import NotAGgufError
from qwq_gguf.words import some

__all__ = ["is_piece", "pieces_of", "refuse_pieces", "refuse_repository_of_pieces"]

_PIECE = re.compile(
    r"(?P<whole>.+\.gguf)"
    r"(?:\.part(?P<number>\d{1,3})of(?P<count>\d{1,3})"
    r"|-split-[a-z]|\.part-?[a-z0-9]{1,3}|\.\d{2,3}|\.a[a-z])",
    re.IGNORECASE,
)


def is_piece(name: str) -> bool:
    """Whether a file of this name is a piece of one."""
    return _PIECE.fullmatch(name) is not None


def pieces_of(whole: Path) -> list[Path]:
    """The pieces of a file that lie where it should be, in order."""
    found = []
    try:
        paths = list(whole.parent.iterdir())
    except OSError:
        return []
    for path in paths:
        match = _PIECE.fullmatch(path.name)
        if match is not None and match["whole"] == whole.name:
            found.append((int(match["number"] or 0), path.name, path))
    return [path for _, _, path in sorted(found)]


def refuse_repository_of_pieces(repo: str, names: Iterable[str]) -> None:
    """NotAGgufError, with the commands that bring and join them, if a repository on the Hub
    holds pieces of a GGUF.
    """
    pieces = {name: match for name in names if (match := _PIECE.fullmatch(name)) is not None}
    if not pieces:
        return
    whole = min(match["whole"] for match in pieces.values())
    of_it = [name for name, match in pieces.items() if match["whole"] == whole]
    of_it.sort(key=lambda name: (int(pieces[name]["number"] or 0), name))
    bring = shlex.join(["hf", "download", repo, *of_it, "--local-dir", "."])
    join = f"{shlex.join(['cat', *of_it])} > {shlex.quote(whole)}"
    raise NotAGgufError(
        "the GGUF files of this repository were cut into pieces",
        path=repo,
        found=some(of_it, 5),
        hint=f"{bring} && {join}, then name {shlex.quote(whole)}",
    )


def refuse_pieces(piece: Path) -> None:
    """NotAGgufError, with the command that joins them, if this is the name of a piece."""
    match = _PIECE.fullmatch(piece.name)
    if match is None:
        return
    whole = piece.with_name(match["whole"])
    there = pieces_of(whole) or [piece]
    count = int(match["count"] or 0)
    if count > len(there):
        raise NotAGgufError(
            "a piece of a file that was cut, and the others are not all here",
            path=piece,
            found=some((path.name for path in there), 5),
            expected=f"{count} pieces",
            hint="put all of them in one folder, then join them with cat",
        )
    joined = f"{shlex.join(['cat', *map(str, there)])} > {shlex.quote(str(whole))}"
    raise NotAGgufError(
        "a piece of a file that was cut, and no GGUF by itself",
        path=piece,
        found=some((path.name for path in there), 5),
        hint=f"{joined}, then name {shlex.quote(str(whole))}",
    )
