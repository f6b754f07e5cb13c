"""Which files of a folder hold the weights, and that they agree with their index."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NoReturn

from qwq_gguf.checkpoint.files import MIB, read_json
from qwq_gguf.checkpoint.safetensors import read_header
from qwq_gguf.checkpoint.values import TensorInfo
from qwq_gguf.errors import NotACheckpointError, ShardError, UnsupportedError

__all__ = ["INDEX_NAME", "read_shards"]

INDEX_NAME = "model.safetensors.index.json"
_SHARD = re.compile(r"model[^/]*\.safetensors")
_NUMBERED = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.safetensors")


def read_shards(
    folder: Path,
    *,
    listing: Collection[str] | None = None,
    read_headers: Callable[[Iterable[Path]], Iterable[Mapping[str, TensorInfo]]] | None = None,
) -> dict[str, TensorInfo]:
    """Every tensor of a checkpoint folder.

    The index decides which files belong; without one, all `model*.safetensors` do. Where
    the shards are not in the folder, as on the Hub, `listing` names the files that belong
    there and `read_headers` gets the headers of several.
    """
    index = folder / INDEX_NAME
    if listing is None:
        found = sorted(path.name for path in folder.glob("model*.safetensors"))
    else:
        found = sorted(name for name in listing if _SHARD.fullmatch(name))
    if index.is_file():
        weight_map = _weight_map(index)
        names = sorted(set(weight_map.values()))
        _check_names(names, found, folder, index, listing)
    elif found:
        weight_map = None
        names = found
        _check_numbering(names, folder)
    else:
        _refuse_other_formats(folder)

    tensors: dict[str, TensorInfo] = {}
    paths = [folder / name for name in names]
    for header in map(read_header, paths) if read_headers is None else read_headers(paths):
        for info in header.values():
            if info.name in tensors:
                raise ShardError(
                    f"{info.name} is also in {tensors[info.name].shard.name}", path=info.shard
                )
            tensors[info.name] = info
    if weight_map is not None:
        _check_index(weight_map, tensors, index)
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
        _check_inside(name, folder, index)
    if listing is None:
        missing = [name for name in names if not (folder / name).exists()]
    else:
        missing = [name for name in names if name not in listing]
    if missing:
        raise ShardError(
            "shards named by the index are missing",
            path=index,
            found=f"{len(names) - len(missing)} of {len(names)}",
            expected=_some(missing),
            hint="finish the download, then try again",
        )
    extra = [name for name in found if name not in names]
    # In a folder it is the sign of two models mixed up; of a repository only the named are taken.
    if extra and listing is None:
        raise ShardError(
            "there are shards that the index does not name",
            path=index,
            found=_some(extra),
            hint="move them away if they belong to another model, else download the index again",
        )


def _check_inside(name: str, folder: Path, index: Path) -> None:
    """Refuse a name that leads out of the folder, by its spelling or through a link.

    The cache of the Hub links each file of a snapshot to `blobs/` of the same repository,
    and this may be a link to the `blobs/xx/` that all repositories share: those are the
    places outside where a shard may lie.
    """
    parts = PurePosixPath(name).parts
    spelled_out = (
        not parts
        or "\0" in name
        or "\\" in name
        or ".." in parts
        or PurePosixPath(name).is_absolute()
        or bool(PureWindowsPath(name).drive)
        or not name.endswith(".safetensors")
    )
    if not spelled_out:
        home = folder.resolve()
        target = (folder / name).resolve()
        repository = home.parent.parent
        places = (repository / "blobs", repository.parent / "blobs" / target.name[:2])
        in_cache = home.parent.name == "snapshots" and target.parent in places
        if in_cache or target.is_relative_to(home):
            return
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
            raise ShardError(
                "shards are missing",
                path=folder,
                found=_some(names),
                expected=_some(missing),
                hint="finish the download, then try again",
            )


def _check_index(weight_map: dict[str, str], tensors: dict[str, TensorInfo], index: Path) -> None:
    missing = sorted(set(weight_map) - set(tensors))
    if missing:
        raise ShardError(
            "tensors of the index are in no shard",
            path=index,
            found=_some(missing),
            hint="download the shards and the index from the same revision",
        )
    extra = sorted(set(tensors) - set(weight_map))
    if extra:
        raise ShardError(
            "the shards hold tensors that the index does not name",
            path=index,
            found=_some(extra),
            hint="download the shards and the index from the same revision",
        )


def _refuse_other_formats(folder: Path) -> NoReturn:
    if any(folder.glob("pytorch_model*.bin")) or any(folder.glob("*.pth")):
        raise UnsupportedError(
            "the weights are PyTorch pickles, which can run code when they are opened",
            path=folder,
            expected="*.safetensors",
            hint="take a revision with safetensors, or save the model again with transformers",
        )
    if (folder / "adapter_model.safetensors").is_file():
        raise UnsupportedError(
            "this is a LoRA adapter, not a model",
            path=folder,
            hint="merge it into its base model first",
        )
    raise NotACheckpointError(
        "there are no weights here", path=folder, expected="model*.safetensors"
    )


def _some(names: Iterable[str], count: int = 3) -> str:
    listed = list(names)
    text = ", ".join(listed[:count])
    return text if len(listed) <= count else f"{text} and {len(listed) - count} more"
