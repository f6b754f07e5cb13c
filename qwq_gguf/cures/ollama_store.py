"""A local Ollama store, read as the files that it is; no Ollama has to run.

Manifests are JSON by name, in `manifests-v2` or `manifests`; what they list lies in `blobs` by
its digest (Ollama's manifest/manifest.go and paths.go). All of it may be a stranger's work: names
are checked before they become paths, and everything read is bounded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from qwq_gguf.cures.ollama_names import OllamaName
from qwq_gguf.errors import NotAGgufError, SourceError
from qwq_gguf.files.reading import read_file
from qwq_gguf.json_text import parse_json

__all__ = ["Stored", "read_stored", "store_folders", "stored_names"]

_MOST_MANIFEST = 1 << 20
_MOST_TEXT = 1 << 20
_MOST_BUILT = 16 << 20
_MOST_LAYERS = 512
_MOST_NAMES = 2000
_DIGEST = re.compile(r"sha256[:-]([0-9a-fA-F]{64})", re.ASCII)
_LIST = "application/vnd.ollama.manifest.list.v2+json"
_LAYER = "application/vnd.ollama.image."
_FOLDERS = ("manifests-v2", "manifests")
# Where Ollama's own Linux service keeps its models.
_SERVICE = Path("/usr/share/ollama/.ollama/models")


@dataclass(frozen=True, slots=True)
class Stored:
    """A model of a store: its weights, and what Ollama is told about it.

    `parts` are the GGUF's files. `template` and `system` are None where there is none.
    """

    name: OllamaName
    parts: tuple[Path, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    template: str | None = None
    system: str | None = None
    parser: str | None = None
    renderer: str | None = None


def store_folders(environment: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Where a store may be: the one that is named, or the usual ones."""
    named = environment.get("OLLAMA_MODELS", "").strip().strip("\"'")
    if named:
        return (Path(named).expanduser(),)
    return (home / ".ollama" / "models", _SERVICE)


def read_stored(store: Path, name: OllamaName) -> Stored | None:
    """The model of this name; None where the store has none. SourceError for one that is damaged,
    or holds no GGUF.
    """
    named = (store.joinpath(folder, *name.parts) for folder in _FOLDERS)
    path = next((each for each in named if each.is_file()), None)
    if path is None:
        return None
    manifest = _json(path, _MOST_MANIFEST)
    if manifest.get("mediaType") == _LIST:
        manifest = _runnable(store, manifest, path)
    layers = manifest.get("layers")
    if not isinstance(layers, list) or len(layers) > _MOST_LAYERS:
        raise SourceError("is no manifest of Ollama's", path=path)
    kinds = [(_kind(layer), layer) for layer in layers if isinstance(layer, dict)]
    parts = tuple(_blob(store, layer, path) for kind, layer in kinds if kind == "model")
    if not parts:
        raise NotAGgufError(
            "this model of Ollama's holds no GGUF", path=path, expected="a layer image.model"
        )
    found = dict(kinds)
    parameters: Mapping[str, Any] = {}
    if "params" in found:
        parameters = _json(_blob(store, found["params"], path), _MOST_TEXT)
    config: Mapping[str, Any] = {}
    if isinstance(manifest.get("config"), dict) and manifest["config"].get("digest"):
        config = _json(_blob(store, manifest["config"], path), _MOST_TEXT)
    return Stored(
        name,
        parts,
        parameters,
        template=_text(store, found.get("template"), path),
        system=_text(store, found.get("system"), path),
        parser=_word(config.get("parser")),
        renderer=_word(config.get("renderer")),
    )


def stored_names(store: Path) -> tuple[str, ...]:
    """What the store has, as Ollama shows it; the first 2,000."""
    found: dict[str, None] = {}
    for folder in _FOLDERS:
        for path in islice(_below(store / folder, 4), _MOST_NAMES):
            found[str(OllamaName(*path.parts[-4:]))] = None
    return tuple(found)


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """What lies exactly so deep; links are followed by none but a file."""
    try:
        entries = sorted(islice(os.scandir(folder), _MOST_NAMES), key=lambda each: each.name)
    except OSError:
        return
    for entry in entries:
        if depth > 1 and entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path), depth - 1)
        elif depth == 1 and entry.is_file():
            yield Path(entry.path)


def _runnable(store: Path, manifests: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """Of a list of manifests that of a GGUF, which may lie in a blob."""
    listed = manifests.get("manifests")
    for entry in listed[:_MOST_LAYERS] if isinstance(listed, list) else ():
        if not isinstance(entry, dict) or entry.get("mediaType") == _LIST:
            continue
        if entry.get("format") not in (None, "", "gguf"):
            continue
        if "layers" in entry:
            return entry
        if "digest" in entry:
            return _json(_blob(store, entry, path), _MOST_MANIFEST)
    raise NotAGgufError("none of this model's variants is a GGUF", path=path)


def _kind(layer: Mapping[str, Any]) -> str:
    kind = layer.get("mediaType")
    return kind.removeprefix(_LAYER) if isinstance(kind, str) else ""


def _blob(store: Path, layer: Mapping[str, Any], path: Path) -> Path:
    digest = layer.get("digest")
    spelled = digest if isinstance(digest, str) else ""
    if ":" not in spelled and "-" not in spelled:
        spelled = f"sha256:{spelled}"
    found = _DIGEST.fullmatch(spelled)
    if found is None:
        raise SourceError("names a blob by what is no digest", path=path, found=repr(digest)[:80])
    return store / "blobs" / f"sha256-{found[1].lower()}"


def _json(path: Path, most: int) -> Mapping[str, Any]:
    try:
        value = parse_json(_read(path, most), most=_MOST_BUILT)
    except ValueError as error:
        raise SourceError(f"is no JSON of Ollama's: {error}", path=path) from None
    if not isinstance(value, dict):
        raise SourceError("is no JSON object", path=path)
    return value


def _text(store: Path, layer: Mapping[str, Any] | None, path: Path) -> str | None:
    if layer is None:
        return None
    return _read(_blob(store, layer, path), _MOST_TEXT).decode("utf-8", "replace")


def _word(value: Any) -> str | None:
    return value[:100] if isinstance(value, str) and value else None


def _read(path: Path, most: int) -> bytes:
    try:
        data = read_file(path, most)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}", path=path) from None
    if len(data) > most:
        raise SourceError(f"is larger than {most:,} bytes", path=path)
    return data
