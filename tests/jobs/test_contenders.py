"""What the models of an evaluation are called."""

from __future__ import annotations

from pathlib import Path

from qwq_gguf.jobs.contenders import named


def test_a_model_is_called_as_its_file_unless_another_is_too() -> None:
    models = [(name, Path("/m") / name) for name in ("a/x.gguf", "b/x.gguf", "b/y.gguf")]
    assert named(models) == ["a/x.gguf", "b/x.gguf", "y.gguf"]
    assert named([("org/name-GGUF:Q4_K_M", Path("/cache/name.gguf"))]) == ["name.gguf"]
