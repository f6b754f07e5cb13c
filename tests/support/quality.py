"""The models and the text of which tests/golden/quality.json has llama.cpp's own figures.

Both sides use this: tests/golden/make_quality.py, which runs its tools, and the tests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

from qwq_gguf.cli.app import app
from support.checkpoints import random_tensors, write_checkpoint
from support.goldens import CASES, GOLDEN

__all__ = ["BASE", "QUANTS", "TEXT", "WINDOW", "described", "golden", "make_moe", "make_quants"]

TEXT = Path(__file__).resolve().parent.parent / "data" / "quality-text.txt"
BASE = GOLDEN / "quality-base.kld"
WINDOW = 64
QUANTS = ("Q4_K_M", "Q2_K")
_EACH = 37  # which values of an entry are recorded


def golden() -> dict[str, Any]:
    """What was recorded."""
    found: dict[str, Any] = json.loads((GOLDEN / "quality.json").read_text())
    return found


def make_quants(folder: Path) -> dict[str, Path]:
    """A tiny model as BF16 and in the quants, by name; it is as sure of what it foretells as
    real ones are, and wrong.
    """
    sure = 2 * random_tensors({"lm_head.weight": (320, 256)}, "F32", 5)["lm_head.weight"]
    checkpoint = write_checkpoint(
        folder / "Tiny", "qwen2", extra_tensors={"lm_head.weight": ("F32", sure)}
    )
    names = ("BF16", *QUANTS)
    recipes = [word for name in names for word in ("-r", name)]
    _quantize(str(checkpoint), folder, *recipes)
    return {name: folder / f"Tiny-{name}.gguf" for name in names}


def make_moe(folder: Path) -> Path:
    """A tiny model with experts, of random weights."""
    checkpoint = CASES["qwen3moe"](folder)
    path = folder / "moe.gguf"
    _quantize(str(checkpoint), path, "-r", "BF16")
    return path


def _quantize(source: str, out: Path, *recipes: str) -> None:
    words = ["quantize", source, "-o", str(out), "--no-modelfile", "--no-manifest", *recipes]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output


def described(entries: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Entries of an importance matrix, sums and counts, so that they can be compared."""
    return {
        name: {
            "counts": [int(count) for count in counts.ravel()],
            "total": float(sums.sum(dtype=np.float64)),
            "some": [float(value) for value in sums.ravel()[::_EACH]],
        }
        for name, (sums, counts) in sorted(entries.items())
    }
