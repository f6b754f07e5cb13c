"""The trainer's modules that need no torch, which live outside the package."""

from __future__ import annotations

import sys
from pathlib import Path

_FOLDER = str(Path(__file__).resolve().parents[2] / "scripts" / "train_demo")
if _FOLDER not in sys.path:
    sys.path.append(_FOLDER)

import conversations  # noqa: E402
import forms  # noqa: E402
import judge  # noqa: E402
import seen  # noqa: E402
import stated  # noqa: E402
import thoughts  # noqa: E402

__all__ = ["conversations", "forms", "judge", "seen", "stated", "thoughts"]
