"""How something was measured, as a record says it: models by digest, versions, machine, command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["installed", "made_by", "model_facts"]


def model_facts(name: str, path: Path, parts: Sequence[Path]) -> dict[str, Any]:
    """A model by its name and file, with the bytes of all its parts and a digest of them."""
    from qwq_gguf.engine.saving.made_with import files_digest

    return {
        "name": name,
        "file": path.name,
        "bytes": sum(part.stat().st_size for part in parts),
        "digest": files_digest(parts),
    }


def installed() -> dict[str, Any]:
    """The versions of what computes."""
    from qwq_gguf.jobs.versions import versions

    found = versions().to_json()
    del found["schema"]
    return found


def made_by(*, threads: int | None, gpu_layers: int | None, command: str | None) -> dict[str, Any]:
    """On which machine, with how much of it, and by which command (None from Python)."""
    return {
        "threads": threads,
        "gpu_layers": gpu_layers,
        "machine": _machine(),
        "command": command,
    }


def _machine() -> dict[str, Any]:
    from qwq_gguf.machine import processor_name, total_memory, usable_processors

    return {
        "system": sys.platform,
        "processor": processor_name(),
        "processors": usable_processors(),
        "memory": total_memory(),
    }
