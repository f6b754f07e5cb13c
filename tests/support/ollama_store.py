"""A store as Ollama leaves it: manifests by name, blobs by digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["put_model"]


def _blob(store: Path, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    path = store / "blobs" / f"sha256-{digest}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return f"sha256:{digest}"


def put_model(
    store: Path,
    gguf: Path,
    *name: str,
    params: Mapping[str, Any] | None = None,
    template: str | None = None,
    config: Mapping[str, Any] | None = None,
    linked: bool = False,
) -> Path:
    """The manifest of a model under `host, namespace, model, tag`. `linked`: as a list of
    runners in `manifests-v2`, a link to a blob, as newer Ollamas have it.
    """
    kinds = [("model", gguf.read_bytes())]
    if params is not None:
        kinds.append(("params", json.dumps(params).encode()))
    if template is not None:
        kinds.append(("template", template.encode()))
    layers = [
        {
            "mediaType": f"application/vnd.ollama.image.{kind}",
            "digest": _blob(store, data),
            "size": len(data),
        }
        for kind, data in kinds
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"digest": _blob(store, json.dumps(config or {"model_format": "gguf"}).encode())},
        "layers": layers,
    }
    if not linked:
        path = store.joinpath("manifests", *name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(manifest), encoding="utf-8")
        return path
    child = _blob(store, json.dumps(manifest).encode())
    listed = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.ollama.manifest.list.v2+json",
        "manifests": [
            {"mediaType": manifest["mediaType"], "digest": "0" * 64, "format": "safetensors"},
            {"mediaType": manifest["mediaType"], "digest": child, "format": "gguf"},
        ],
    }
    whole = _blob(store, json.dumps(listed).encode())
    path = store.joinpath("manifests-v2", *name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(store / "blobs" / whole.replace(":", "-"))
    return path
