"""What a name can mean, before anything of it is opened: a place on the disk, or on the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.checkpoint.cut_files import is_piece
from qwq_gguf.errors import HubNotFoundError, SourceError
from qwq_gguf.files.reading import read_file, user_path

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.hub.name import HubName
    from qwq_gguf.checkpoint.hub.settings import HubSettings
    from qwq_gguf.checkpoint.hub.snapshot import HubSnapshot

__all__ = [
    "DEMO",
    "holds_gguf",
    "is_gguf",
    "names_gguf",
    "on_disk",
    "on_hub",
    "open_named",
]

DEMO = "demo"
_WEIGHTS = (".gguf", ".safetensors")


def names_gguf(source: str | Path, *, token: str | None = None) -> bool:
    """Whether `source` can mean nothing but a GGUF: a file here that is or is called one, or
    a name on the Hub with a tag. Nothing is looked up there.
    """
    if source == DEMO:
        return False
    path = on_disk(source, SourceError)
    if path is not None:
        if path.is_dir():
            return False
        named = path.suffix.lower() == ".gguf" or is_piece(Path(source).name)
        return named or is_gguf(path)
    name, _ = on_hub(source, token)
    return name.tag is not None if name is not None else str(source).lower().endswith(".gguf")


def holds_gguf(source: str, *, revision: str | None = None, token: str | None = None) -> bool:
    """Whether `source` is a GGUF or a repository whose only weights are GGUFs: what is no path is
    asked of the Hub. HubError in one of its kinds.
    """
    if names_gguf(source, token=token):
        return True
    if source == DEMO or on_disk(source, SourceError) is not None:
        return False
    name, hub = on_hub(source, token)
    if name is None:
        return False
    files = open_named(hub, name, revision).files
    weights = {suffix for file in files if (suffix := Path(file.lower()).suffix) in _WEIGHTS}
    return weights == {".gguf"}


def is_gguf(path: Path) -> bool:
    """Whether a file begins as a GGUF does."""
    try:
        return read_file(path, 3) == b"GGUF"
    except OSError:
        return False


def on_disk(source: str | Path, error: type[SourceError]) -> Path | None:
    """The resolved path, or None when nothing is there."""
    try:
        path = user_path(source).resolve()
        return path if path.exists() else None
    except (OSError, ValueError, RuntimeError) as problem:
        raise error("not a path", path=str(source), found=str(problem)) from problem


def on_hub(source: str | Path, token: str | None) -> tuple[HubName | None, HubSettings]:
    """What it would be called there, None for what is no such name, and which Hub that is."""
    from qwq_gguf.checkpoint.hub.name import parse_hub_name
    from qwq_gguf.checkpoint.hub.settings import hub_settings
    from qwq_gguf.checkpoint.modelscope.name import parse_modelscope_name
    from qwq_gguf.checkpoint.modelscope.settings import modelscope_settings

    there = None if isinstance(source, Path) else parse_modelscope_name(source)
    if there is not None:
        return there, modelscope_settings(token)
    hub = hub_settings(token)
    return None if isinstance(source, Path) else parse_hub_name(source, hub.endpoint), hub


def open_named(hub: HubSettings, name: HubName, revision: str | None) -> HubSnapshot:
    """What of a repository there is. HubError in one of its kinds."""
    from qwq_gguf.checkpoint.hub.snapshot import open_snapshot

    if None not in (revision, name.revision) and revision != name.revision:
        raise SourceError(
            "two revisions are named", path=name.repo, found=f"{name.revision} and {revision}"
        )
    try:
        return open_snapshot(hub, name.repo, revision or name.revision)
    except HubNotFoundError as problem:
        if not name.explicit and problem.hint:
            problem.hint += f" (there is no folder {name.repo} here either)"
        raise
