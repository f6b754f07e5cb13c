"""The wheel is all one needs: the demo runs from it, far from this repository.

It is built from the sdist, so that both are tried. `scripts/release` names the folder in which both
lie already.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(
    *command: str | Path, cwd: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ready = os.environ.get("RELEASE_DIST")
    if ready is not None:
        (built,) = Path(ready).glob("*.whl")
        return built
    release = runpy.run_path(str(ROOT / "scripts" / "release"))
    _, made = release["build"](tmp_path_factory.mktemp("dist"))
    assert isinstance(made, Path)
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment with the wheel and the packages it depends on."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install"]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0"}
    run(*pip, "--no-deps", "--no-index", wheel, cwd=folder, environment=environment)
    # What the tests run with, less the editable qwq-gguf: that is a .pth file, and those are
    # read in an environment's own folder only, not in one that another .pth file adds.
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return folder / "bin"


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | {"NO_COLOR": "1", "COLUMNS": "80"}


def test_everything_that_ships_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    expected = {
        f"qwq_gguf/_data/quant_recipes/{path.name}"
        for path in (ROOT / "quant_recipes").glob("*.toml")
    }
    for folder in ("profiles", "demo/checkpoint", "serve/page"):
        expected |= {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / "qwq_gguf" / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
    expected.add("qwq_gguf/evaluation/suites/contamination.txt")
    assert {"qwq_gguf/py.typed", "qwq_gguf/_data/quant_recipes/Q4_K_M.toml"} <= names
    assert expected <= names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"qwq_gguf"}


RESOURCES = """
import json, qwq_gguf
from qwq_gguf import resources
print(json.dumps([qwq_gguf.__file__, *map(str, (
    resources.recipes_dir(), resources.profiles_dir(), resources.demo_checkpoint()))]))
"""


def test_resources_come_from_the_wheel(
    installed: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    done = run(installed / "python", "-c", RESOURCES, cwd=tmp_path, environment=environment)
    for path in json.loads(done.stdout):
        assert Path(path).is_relative_to(installed.parent)
        assert Path(path).exists()


def test_the_demo_runs_from_the_wheel(
    installed: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    program = installed / "qwq-gguf"
    run(program, "quantize", "demo", cwd=tmp_path, environment=environment)
    (model,) = tmp_path.glob("*.gguf")
    ask = ["--json", "--seed", "1", "-p"]
    done = run(program, "chat", model, *ask, "What is 7*43?", cwd=tmp_path, environment=environment)
    reply = json.loads(done.stdout)
    assert "301" in reply["answer"]
    assert reply["thinking_tokens"] > 0


def test_other_commands_find_their_data(
    installed: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    program = installed / "qwq-gguf"
    version = json.loads(
        run(program, "--version", "--json", cwd=tmp_path, environment=environment).stdout
    )
    assert version["llama_cpp_python"]
    listed = run(program, "recipes", "demo", "--json", cwd=tmp_path, environment=environment)
    assert len(json.loads(listed.stdout)["recipes"]) > 20
    assert run(program, "profiles", "qwq", "--json", cwd=tmp_path, environment=environment).stdout
