"""The demo model as a user makes it."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from qwq_gguf.cli.app import app

__all__ = ["make_demo"]


def make_demo(folder: Path) -> Path:
    """Quantize the demo model that comes with the package; takes about a second."""
    path = folder / "demo.gguf"
    done = CliRunner().invoke(app, ["quantize", "demo", str(path), "--no-modelfile"])
    assert done.exit_code == 0, done.output
    return path
