"""What `quantize` and `verify --source` make a file from: a checkpoint, or a GGUF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from qwq_gguf.cli.sources import bring_gguf, bring_weights

if TYPE_CHECKING:
    from qwq_gguf.checkpoint import Checkpoint, Fetched, LocatedGguf
    from qwq_gguf.checkpoint.hub.snapshot import HubSnapshot
    from qwq_gguf.conversion import Conversion
    from qwq_gguf.gguf_file import GgufFile, SplitGguf
    from qwq_gguf.metadata import KeyValue

__all__ = ["GgufModel", "Opened", "bring_source", "convert_source", "open_source", "source_files"]


@dataclass(frozen=True, slots=True)
class GgufModel:
    """A GGUF's headers, and where its files are or will be."""

    located: LocatedGguf
    model: SplitGguf

    @property
    def name(self) -> str:
        """What the model is called."""
        from qwq_gguf.conversion.from_gguf import model_name

        return model_name(self.model.head)

    @property
    def folder(self) -> Path:
        """The folder of its first file."""
        return self.located.path.parent

    @property
    def shards(self) -> tuple[Path, ...]:
        """Its files, in order."""
        return tuple(part.path for part in self.model.parts)

    @property
    def hub(self) -> HubSnapshot | None:
        """What of the Hub was named, None for a file on this disk."""
        return self.located.hub


Opened: TypeAlias = "Checkpoint | GgufModel"


def open_source(source: str, revision: str | None = None, token: str | None = None) -> Opened:
    """The headers of what `source` names; of the Hub's, no weights are fetched."""
    from qwq_gguf.checkpoint import locate_gguf, names_gguf, open_checkpoint
    from qwq_gguf.gguf_file import read_splits

    if not names_gguf(source, token=token):
        return open_checkpoint(source, revision=revision, token=token)
    located = locate_gguf(source, revision=revision, token=token, fetch=False)
    return GgufModel(located, read_splits(located.path, lambda path: _header(located, path)))


def convert_source(
    opened: Opened, *, name: str | None = None, extra: Sequence[KeyValue] = ()
) -> Conversion:
    """What a GGUF of it says, and where its tensors come from."""
    if isinstance(opened, GgufModel):
        from qwq_gguf.conversion.from_gguf import from_gguf

        return from_gguf(opened.model, name=name, extra=extra)
    from qwq_gguf.conversion import convert

    return convert(opened, name=name, extra=extra)


def bring_source(opened: Opened) -> dict[Path, Fetched]:
    """Download what is missing of its weights, with a bar; what of them came just now."""
    if not isinstance(opened, GgufModel):
        return bring_weights(opened)
    if opened.hub is None:
        return {}
    fetched = bring_gguf(opened.located)
    from qwq_gguf.errors import ShardError
    from qwq_gguf.gguf_file import read_gguf

    for planned in opened.model.parts:
        if read_gguf(planned.path).tensors != planned.tensors:
            raise ShardError(
                "the file that was downloaded is not the one that was planned with",
                path=planned.path,
                hint="delete this file and try again",
            )
    return fetched


def source_files(opened: Opened) -> list[Path]:
    """The files that it is made of, which no output may replace: its weights, and whatever
    else lies in a checkpoint's folder but GGUFs.
    """
    found = list(opened.shards)
    if not isinstance(opened, GgufModel):
        try:
            found += [each for each in opened.folder.iterdir() if each.suffix != ".gguf"]
        except OSError:
            pass  # of a folder that can't be listed, its weights are known
    return found


def _header(located: LocatedGguf, path: Path) -> GgufFile:
    """The header of one of its files. What is not here yet is read to the end, since its
    arrays cannot be read later.
    """
    from qwq_gguf.checkpoint import peek_gguf
    from qwq_gguf.errors import GgufError
    from qwq_gguf.gguf_file import read_gguf

    if located.hub is None or located.hub.is_here(located.hub.name_of(path)):
        return read_gguf(path)
    if path not in located.parts:
        raise GgufError("a part of the model is missing", path=path)
    part = replace(located, path=path, parts=(path,))
    with peek_gguf(part, lambda copy: read_gguf(copy).data_offset) as copy:
        file = read_gguf(copy)
        whole = {
            key: entry if entry.element is None else replace(entry, value=tuple(entry.items))
            for key, entry in file.metadata.items()
        }
    return replace(file, path=path, metadata=whole)
