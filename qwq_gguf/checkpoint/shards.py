"""Which files of a folder hold the weights, and that they agree with their index."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NoReturn

from qwq_gguf.checkpoint.containment import check_inside, file_inside
from qwq_gguf.checkpoint.files import MIB, read_json
from qwq_gguf.checkpoint.kinds import names_in, refuse_other_kind, unfinished
from qwq_gguf.checkpoint.safetensors import read_header
from qwq_gguf.checkpoint.values import TensorInfo
from qwq_gguf.errors import ShardError
from qwq_gguf.words import some

__all__ = ["INDEX_NAME", "read_shards"]

INDEX_NAME = "model.safetensors.index.json"
_SHARD = re.compile(r"model[^/]*\.safetensors")
_MOST_TENSORS = 1 << 17  # a GGUF may have no more
_NUMBERED = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.safetensors")


def read_shards(
    folder: Path,
    *,
    tied: bool = False,
    listing: Collection[str] | None = None,
    read_headers: Callable[[Iterable[Path]], Iterable[Mapping[str, TensorInfo]]] | None = None,
) -> dict[str, TensorInfo]:
    """Every tensor of a checkpoint folder.

    The index decides which files belong; without one, all `model*.safetensors` do. It may
    name a head that no shard holds if config.json says that it is `tied` to the embedding,
    or an embedding that is saved as the head. Where the shards are not in the folder, as on
    the Hub, `listing` names the files that belong there and `read_headers` gets the headers
    of several.
    """
    index = file_inside(folder, INDEX_NAME, ShardError)
    if listing is None:
        found = sorted(path.name for path in folder.glob("model*.safetensors"))
    else:
        found = sorted(name for name in listing if _SHARD.fullmatch(name))
    if index is not None:
        weight_map = _weight_map(index)
        names = sorted(set(weight_map.values()))
        _check_names(names, found, folder, index, listing)
    elif found:
        weight_map = None
        names = found
        if listing is None:
            for name in names:
                check_inside(folder / name, folder, ShardError)
        _check_numbering(names, folder)
    elif listing is None:
        refuse_other_kind(folder, names_in(folder))
    else:
        refuse_other_kind(folder, listing, here=False)

    tensors: dict[str, TensorInfo] = {}
    paths = [folder / name for name in names]
    for header in map(read_header, paths) if read_headers is None else read_headers(paths):
        for info in header.values():
            if info.name in tensors:
                raise ShardError(
                    f"{info.name} is also in {tensors[info.name].shard.name}", path=info.shard
                )
            tensors[info.name] = info
        if len(tensors) > _MOST_TENSORS:
            raise ShardError("more tensors than any model has", path=folder, found=len(tensors))
    if index is not None and weight_map is not None:
        _check_index(weight_map, tensors, index, tied=tied)
    return tensors


def _weight_map(index: Path) -> dict[str, str]:
    entries = read_json(index, limit=32 * MIB, error=ShardError).get("weight_map")
    if not isinstance(entries, dict) or not entries:
        raise ShardError("the index has no weight_map", path=index)
    for tensor, name in entries.items():
        if not isinstance(name, str):
            raise ShardError(f"{tensor}: its shard is not a file name", path=index, found=name)
    return entries


def _check_names(
    names: list[str],
    found: list[str],
    folder: Path,
    index: Path,
    listing: Collection[str] | None,
) -> None:
    for name in names:
        _check_spelling(name, index)
        if listing is None and os.path.lexists(folder / name):
            check_inside(folder / name, folder, ShardError)
    if listing is None:
        missing = [name for name in names if not os.path.lexists(folder / name)]
    else:
        missing = [name for name in names if name not in listing]
    if missing:
        _refuse_missing(
            "shards named by the index are missing",
            index,
            f"{len(names) - len(missing)} of {len(names)}",
            missing,
            None if listing is not None else folder,
        )
    extra = [name for name in found if name not in names]
    # In a folder it is the sign of two models mixed up; of a repository only the named are taken.
    if extra and listing is None:
        raise ShardError(
            "there are shards that the index does not name",
            path=index,
            found=some(extra),
            hint="move them away if they belong to another model, else download the index again",
        )


def _refuse_missing(
    message: str, path: Path, found: str, missing: Sequence[str], folder: Path | None
) -> NoReturn:
    """`folder` is where one can look for downloads that go on."""
    waiting = [] if folder is None else unfinished(folder)
    raise ShardError(
        message,
        path=path,
        found=found + (f", and {some(waiting)} still to be finished" if waiting else ""),
        expected=some(missing),
        hint="finish the download, then try again: hf download ORG/NAME goes on where it was",
    )


def _check_spelling(name: str, index: Path) -> None:
    """Refuse a name that leads out of the folder; where links lead, inside.py says."""
    parts = PurePosixPath(name).parts
    if (
        not parts
        or "\0" in name
        or "\\" in name
        or ".." in parts
        or PurePosixPath(name).is_absolute()
        or bool(PureWindowsPath(name).drive)
        or not name.endswith(".safetensors")
    ):
        raise ShardError(
            "the index names a file outside the checkpoint",
            path=index,
            found=repr(name[:200]),
            expected="the name of a .safetensors file in the same folder",
        )


def _check_numbering(names: list[str], folder: Path) -> None:
    for name in names:
        match = _NUMBERED.fullmatch(name)
        if match is None:
            continue
        stem, _, total = match.groups()
        if int(total) > 10_000:
            raise ShardError("an absurd number of shards", path=folder / name, found=int(total))
        wanted = [
            f"{stem}-{number:05d}-of-{total}.safetensors" for number in range(1, int(total) + 1)
        ]
        missing = [part for part in wanted if part not in names]
        if missing:
            here = folder if folder.is_dir() else None
            _refuse_missing("shards are missing", folder, some(names), missing, here)


def _check_index(
    weight_map: dict[str, str], tensors: dict[str, TensorInfo], index: Path, *, tied: bool
) -> None:
    aliases = {alias for info in tensors.values() for alias in info.aliases}
    missing = sorted(set(weight_map) - set(tensors) - aliases)
    if tied and any(map(_is_shared, tensors)):
        # Two names of one tensor, of which savers write one and list both.
        missing = [name for name in missing if not _is_shared(name)]
    if missing:
        head = all(map(_is_shared, missing))
        raise ShardError(
            "tensors of the index are in no shard",
            path=index,
            found=some(missing),
            hint='if it is the embedding, config.json should say "tie_word_embeddings": true'
            if head
            else "download the shards and the index from the same revision",
        )
    extra = sorted(set(tensors) - set(weight_map))
    if extra:
        raise ShardError(
            "the shards hold tensors that the index does not name",
            path=index,
            found=some(extra),
            hint="download the shards and the index from the same revision",
        )


def _is_shared(name: str) -> bool:
    """Whether it is the embedding or the head, which are one tensor in a tied model."""
    return name.endswith(("lm_head.weight", "embed_tokens.weight"))
