"""The one place that knows what a user may call a model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from qwq_gguf.errors import NotACheckpointError
from qwq_gguf.resources import demo_checkpoint

__all__ = ["DEMO", "Located", "locate"]

DEMO = "demo"
_DEMO_NAME = "QwQ-Demo"
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Located:
    """A checkpoint folder and what the model is called."""

    source: str
    folder: Path
    name: str
    organization: str | None = None


def locate(source: str | Path) -> Located:
    """Find the folder that `source` names: `demo`, or a path.

    NotACheckpointError, with what to try, for anything else.
    """
    if source == DEMO:
        return Located(DEMO, demo_checkpoint(), _DEMO_NAME)
    path = Path(source).expanduser()
    try:
        folder = path.resolve()
        if folder.is_dir():
            return _named(str(source), folder)
        exists = folder.exists()
    except (OSError, ValueError, RuntimeError) as problem:
        raise NotACheckpointError("not a path", path=str(source), found=str(problem)) from problem
    if not exists:
        raise NotACheckpointError(
            "there is no such folder", path=path, hint="qwq-gguf quantize demo"
        )
    if folder.suffix == ".gguf":
        raise NotACheckpointError(
            "this is a GGUF file, which is already converted",
            path=path,
            expected="a checkpoint folder with config.json and *.safetensors",
        )
    hint = (
        f"name its folder: {folder.parent}" if folder.suffix in (".safetensors", ".json") else None
    )
    raise NotACheckpointError("a checkpoint is a folder, this is a file", path=path, hint=hint)


def _named(source: str, folder: Path) -> Located:
    # A snapshot of the Hub's cache: models--<organization>--<name>/snapshots/<commit>.
    if folder.parent.name == "snapshots":
        kind, *parts = folder.parent.parent.name.split("--")
        if kind == "models" and parts:
            organization = parts[0] if len(parts) > 1 else None
            return Located(source, folder, parts[-1], organization)
    if _COMMIT.fullmatch(folder.name):
        return Located(source, folder, "model")
    return Located(source, folder, folder.name or "model")
