"""The one place that knows what a user may call a model.

    demo                    the tiny reasoner of this package
    ./folder, file.gguf     whatever is on this disk
    org/name@revision       on the Hub; see hub/name.py
    org/name-GGUF:Q4_K_M    a finished GGUF there
    modelscope:org/name     the same on ModelScope

What is on the disk goes before what the Hub may have. The Hub is asked only for a name
that can be nothing else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.checkpoint.cut_files import pieces_of, refuse_pieces
from qwq_gguf.checkpoint.kinds import checkpoint_folder, refuse_gguf_folder
from qwq_gguf.checkpoint.meaning import DEMO, is_gguf, on_disk, on_hub, open_named
from qwq_gguf.errors import NotACheckpointError, NotAGgufError, SourceError
from qwq_gguf.files.reading import user_path
from qwq_gguf.resources import demo_checkpoint
from qwq_gguf.words import some

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.hub.fetch import DownloadProgress, Fetched
    from qwq_gguf.checkpoint.hub.snapshot import HubSnapshot

__all__ = ["Located", "LocatedGguf", "fetch_gguf", "locate", "locate_gguf"]

_DEMO_NAME = "QwQ-Demo"
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Located:
    """A checkpoint folder and what the model is called; `hub` if it is one of the Hub's."""

    source: str
    folder: Path
    name: str
    organization: str | None = None
    hub: HubSnapshot | None = None


@dataclass(frozen=True, slots=True)
class LocatedGguf:
    """A GGUF file; `parts` are all files of a split one, `path` being the first of them.

    With `hub`, the parts are files of the Hub's cache, and may not be there yet; `tag` is
    then what means this file after `org/name:`.
    """

    source: str
    path: Path
    parts: tuple[Path, ...]
    hub: HubSnapshot | None = None
    tag: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether nothing has to be fetched."""
        hub = self.hub
        return hub is None or all(hub.is_here(hub.name_of(part)) for part in self.parts)


def locate(source: str | Path, *, revision: str | None = None, token: str | None = None) -> Located:
    """Find the checkpoint that `source` names. On the Hub its small files are fetched.

    SourceError in one of its kinds, with what to try, when there is none.
    """
    if source == DEMO:
        _refuse_revision(source, revision)
        return Located(DEMO, demo_checkpoint(), _DEMO_NAME)
    path = on_disk(source, NotACheckpointError)
    if path is not None:
        _refuse_revision(source, revision)
        return _named(str(source), checkpoint_folder(path, Path(source)))
    hub_name, hub = on_hub(source, token)
    if hub_name is None:
        raise NotACheckpointError(
            "there is no such folder", path=str(source), hint=_hint(str(source))
        )
    if hub_name.tag is not None:
        raise NotACheckpointError(
            f":{hub_name.tag} names a finished GGUF, where a checkpoint is needed",
            path=str(source),
            hint=f"qwq-gguf chat {source}; to make one: "
            f"qwq-gguf quantize {hub_name.repo} -r {hub_name.tag}",
        )
    from qwq_gguf.checkpoint.hub.checkpoint import fetch_small_files

    snapshot = open_named(hub, hub_name, revision)
    fetch_small_files(snapshot)
    return Located(str(source), snapshot.folder, hub_name.name, hub_name.organization, hub=snapshot)


def locate_gguf(
    source: str | Path,
    *,
    revision: str | None = None,
    token: str | None = None,
    fetch: bool = True,
    progress: Callable[[DownloadProgress], None] | None = None,
) -> LocatedGguf:
    """Find the GGUF that `source` names. On the Hub it is fetched, unless `fetch` is False
    (then `fetch_gguf` does, or `peek_gguf` reads its header).

    NotAGgufError, with what to try, for anything else; HubError in one of its kinds.
    """
    if source == DEMO:
        raise NotAGgufError(
            "demo is a checkpoint, where a GGUF file is needed",
            hint="qwq-gguf quantize demo, then name the file that it writes",
        )
    path = on_disk(source, NotAGgufError)
    if path is not None:
        _refuse_revision(source, revision)
        return _local_gguf(str(source), user_path(source), path)
    hub_name, hub = on_hub(source, token)
    if hub_name is None:
        pieces = pieces_of(user_path(source))
        if pieces:
            refuse_pieces(pieces[0])
        raise NotAGgufError("there is no such file", path=str(source), hint=_hint(str(source)))
    from qwq_gguf.checkpoint.hub.gguf import choose_gguf, tag_of

    snapshot = open_named(hub, hub_name, revision)
    _refuse_checkpoint(snapshot)
    try:
        choice = choose_gguf(snapshot.files, hub_name.tag, hub_name.repo)
    except NotAGgufError:
        if snapshot.problem is not None:  # the cache knows a part of the repository only
            raise snapshot.problem from None
        raise
    parts = tuple(snapshot.folder / name for name in choice.files)
    tag = tag_of(choice, snapshot.files)
    located = LocatedGguf(str(source), parts[0], parts, hub=snapshot, tag=tag)
    if fetch:
        fetch_gguf(located, progress=progress)
    return located


def fetch_gguf(
    located: LocatedGguf, *, progress: Callable[[DownloadProgress], None] | None = None
) -> dict[Path, Fetched]:
    """Have all parts where `located` says they are; what of them came just now. A file that was
    on the disk needs nothing.
    """
    if located.hub is None:
        return {}
    from qwq_gguf.checkpoint.hub.fetch import fetch

    names = {located.hub.name_of(part): part for part in located.parts}
    fetched = fetch(located.hub, names, progress=progress)
    return {names[name]: found for name, found in fetched.items()}


def _refuse_revision(source: str | Path, revision: str | None) -> None:
    if revision is not None:
        raise SourceError(
            "only a model on the Hub has revisions, and this is one on the disk",
            path=str(source),
            found=f"--revision {revision}",
        )


def _hint(source: str) -> str:
    name = re.sub(r"[^\w.-]+", "-", source, flags=re.ASCII).strip("-.")[:60]
    maybe = name and "/" not in source and not name.lower().endswith(".gguf")
    on_hub = f"; on the Hub it is called org/{name}" if maybe else ""
    return f"check the path{on_hub}"


def _named(source: str, folder: Path) -> Located:
    # A snapshot of the Hub's cache: models--<organization>--<name>/snapshots/<commit>.
    if folder.parent.name == "snapshots":
        kind, *parts = _text(folder.parent.parent).split("--")
        if kind == "models" and parts:
            organization = parts[0] if len(parts) > 1 else None
            return Located(source, folder, parts[-1], organization)
    if _COMMIT.fullmatch(folder.name):
        return Located(source, folder, "model")
    return Located(source, folder, _text(folder) or "model")


def _text(folder: Path) -> str:
    """A folder's name as a text: a GGUF holds nothing but UTF-8, and file systems any bytes."""
    return os.fsencode(folder.name).decode("utf-8", "replace")


def _local_gguf(source: str, shown: Path, path: Path) -> LocatedGguf:
    """`path` is resolved. The parts of a split model are beside the name, not beside the blob."""
    from qwq_gguf.checkpoint.hub.gguf import split_parts

    if path.is_dir():
        refuse_gguf_folder(shown, path)
    refuse_pieces(shown)
    belongs = shown.suffix.lower() in (".safetensors", ".bin", ".pt", ".pth", ".json")
    if belongs and not is_gguf(path):
        raise NotAGgufError(
            "this belongs to a checkpoint, where a GGUF file is needed",
            path=shown,
            hint=f"qwq-gguf quantize {path.parent}",
        )
    names = split_parts(shown.name)
    if names is None:
        return LocatedGguf(source, shown, (shown,))
    parts = tuple(shown.with_name(name) for name in names)
    missing = [part.name for part in parts if not part.exists()]
    if missing:
        raise NotAGgufError(
            "files of this split model are missing",
            path=shown,
            found=f"{len(parts) - len(missing)} of {len(parts)}",
            expected=some(missing, 5),
            hint="put all of them in one folder",
        )
    return LocatedGguf(source, parts[0], parts)


def _refuse_checkpoint(snapshot: HubSnapshot) -> None:
    if any(name.lower().endswith(".gguf") for name in snapshot.files):
        return
    if any(name.endswith(".safetensors") for name in snapshot.files):
        raise NotAGgufError(
            "this repository is a checkpoint, where a GGUF file is needed",
            path=snapshot.repo,
            hint=f"qwq-gguf quantize {snapshot.called}, or name one of the GGUF repositories "
            f"made from it: {snapshot.hub.endpoint}/models?other=base_model:"
            f"quantized:{snapshot.repo}",
        )
