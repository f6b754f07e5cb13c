"""What set-up does to llama-cpp-python in an environment, with a pip that only takes notes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from setup_env.choice import Choice, ask_doctor, choose
from setup_env.compiler import find_compiler
from setup_env.errors import SetupError
from setup_env.lockfile import Pin
from setup_env.native import ensure
from setup_env.venv import Venv
from setup_env.wheel import plan_build

PIN = Pin("llama-cpp-python", "2.0", ("sha256:" + "0" * 64,), "")

# Answers `python -c ...` with the file `facts`; `python -m pip install` takes a note and
# makes the file `after` the next answer.
PYTHON = """\
#!/bin/sh
here=$(dirname "$0")
case $1 in
    -c) cat "$here/facts" ;;
    -m) echo "$*" >>"$here/notes" && cp "$here/after" "$here/facts" ;;
esac
"""


class Stage:
    """An environment, a cache and a compiler, none of them real."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self.venv = Venv(folder / "venv")
        self.bin = folder / "venv" / "bin"
        self.bin.mkdir(parents=True)
        self.write(self.bin / "python", PYTHON)
        self.write(folder / "cc", "#!/bin/sh\necho '#define __zen4__ 1'\n")
        self.environment = {
            "CC": str(folder / "cc"),
            "CXX": str(folder / "cc"),
            "PATH": os.environ["PATH"],
        }
        self.has(None)
        self.will_have({"version": "2.0", "gpu": False, "loads": True})

    @staticmethod
    def write(path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def has(self, facts: dict[str, object] | None) -> None:
        (self.bin / "facts").write_text(json.dumps(facts) if facts else "", encoding="utf-8")

    def will_have(self, facts: dict[str, object]) -> None:
        (self.bin / "after").write_text(json.dumps(facts), encoding="utf-8")

    def cached(self, cmake_args: str = "") -> Path:
        environment = {**self.environment, "CMAKE_ARGS": cmake_args}
        build = plan_build(PIN, find_compiler(environment), environment)
        wheel = self.cache / "wheels" / build.key / "llama_cpp_python-2.0-py3-none-any.whl"
        wheel.parent.mkdir(parents=True)
        wheel.write_bytes(b"a wheel")
        facts = {
            "wheel": wheel.name,
            "sha256": hashlib.sha256(b"a wheel").hexdigest(),
            "build": asdict(build),
        }
        (wheel.parent / "build.json").write_text(json.dumps(facts), encoding="utf-8")
        return wheel

    def ensure(self, cmake_args: str = "", choice: Choice = Choice()) -> str:  # noqa: B008
        environment = {**self.environment, "CMAKE_ARGS": cmake_args}
        tools = self.cache / "no-such.lock"
        return ensure(
            self.venv,
            PIN,
            tools=tools,
            cache=self.cache,
            environment=environment,
            choice=lambda: choice,
        )

    @property
    def notes(self) -> list[str]:
        try:
            return (self.bin / "notes").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_the_cache_saves_the_build(stage: Stage) -> None:
    wheel = stage.cached()
    assert "cache" in stage.ensure()
    (note,) = stage.notes
    assert note.endswith(str(wheel))
    assert "--no-index" in note
    assert "kept" in stage.ensure()
    assert len(stage.notes) == 1


@pytest.mark.parametrize("cmake_args", ["", "-DGGML_CUDA=on", "-DGGML_VULKAN=on"])
def test_a_gpu_build_is_never_replaced(stage: Stage, cmake_args: str) -> None:
    stage.cached(cmake_args)
    stage.has({"version": "2.0", "gpu": True, "loads": True})
    assert "kept what is there, a GPU build" in stage.ensure(cmake_args)
    assert stage.notes == []


def test_a_gpu_build_of_another_release_is_not_touched_unasked(stage: Stage) -> None:
    stage.cached()
    stage.has({"version": "1.9", "gpu": True, "loads": True})
    with pytest.raises(SetupError, match="built for a GPU") as caught:
        stage.ensure()
    assert "CMAKE_ARGS" in caught.value.hint
    assert stage.notes == []


def test_a_gpu_build_that_does_not_load_is_not_replaced_unasked(stage: Stage) -> None:
    stage.cached()
    stage.has({"version": "2.0", "gpu": True, "loads": False})
    with pytest.raises(SetupError, match="built for a GPU; it does not load") as caught:
        stage.ensure()
    assert "driver" in caught.value.hint
    assert stage.notes == []


def test_a_new_release_is_built_as_the_old_one_was(stage: Stage) -> None:
    cuda = "-DGGML_CUDA=on"
    stage.cached(cuda)
    stage.will_have({"version": "2.0", "gpu": True, "loads": True})
    stage.ensure(cuda)
    stage.has({"version": "1.9", "gpu": True, "loads": True})
    record = stage.venv.folder / "qwq-gguf-native.json"
    facts = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps({**facts, "version": "1.9"}), encoding="utf-8")
    stage.ensure()
    assert len(stage.notes) == 2
    assert json.loads(record.read_text(encoding="utf-8"))["cmake_args"] == cuda


def test_without_a_compiler_what_is_there_still_serves(stage: Stage) -> None:
    stage.environment |= {"CC": "no-such-compiler", "CXX": "no-such-compiler"}
    stage.has({"version": "2.0", "gpu": False, "loads": True})
    assert "kept" in stage.ensure()
    stage.has(None)
    with pytest.raises(SetupError, match=r"C\+\+17 compiler"):
        stage.ensure()


def test_a_cached_wheel_that_does_not_load_is_dropped(stage: Stage) -> None:
    wheel = stage.cached()
    stage.will_have({"version": "2.0", "gpu": False, "loads": False})
    # Building it anew needs the lock file of the tools, which is not there.
    with pytest.raises(FileNotFoundError, match=r"no-such\.lock"):
        stage.ensure()
    assert not wheel.exists()


CUDA = "-DGGML_CUDA=on -DCMAKE_CUDA_ARCHITECTURES=86"


def test_the_doctors_choice_is_built_where_nobody_said_otherwise(stage: Stage) -> None:
    stage.cached(CUDA)
    stage.cached("-DGGML_NATIVE=off")
    stage.will_have({"version": "2.0", "gpu": True, "loads": True})
    chosen = Choice(CUDA, "for this machine's card")
    assert "card" in stage.ensure(choice=chosen)
    record = stage.venv.folder / "qwq-gguf-native.json"
    assert json.loads(record.read_text(encoding="utf-8"))["cmake_args"] == CUDA
    # What is there stays, and what was asked for comes before the doctor.
    assert "kept" in stage.ensure(choice=Choice("-DGGML_VULKAN=on", "another"))
    record.unlink()
    stage.has(None)
    assert "card" not in stage.ensure("-DGGML_NATIVE=off", choice=chosen)
    assert json.loads(record.read_text(encoding="utf-8"))["cmake_args"] == "-DGGML_NATIVE=off"


@pytest.mark.parametrize(
    ("said", "cmake", "told"),
    [
        ({"build": "CUDA", "cmake": CUDA, "ready": True}, CUDA, "with CUDA"),
        ({"build": "CUDA", "cmake": "-DGGML_CUDA=on", "ready": False}, "", "doctor"),
        ({"build": "Vulkan", "cmake": "", "ready": True}, "", "card for Vulkan"),
        ({"build": "Metal", "cmake": "-DGGML_METAL=on", "ready": True}, "", ""),
        ({"build": "CPU", "cmake": "", "ready": True}, "", ""),
        (None, "", ""),
        ("nonsense", "", ""),
    ],
)
def test_what_the_doctor_says_decides(said: object, cmake: str, told: str) -> None:
    found = choose(said)
    assert found.cmake_args == cmake
    assert told in found.told
    assert bool(found.told) == bool(told)


def test_the_doctor_can_be_asked_before_any_package_is_there(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    assert isinstance(ask_doctor(root), Choice)
    # Without site-packages: what it imports is the standard library's and ours.
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "from qwq_gguf.jobs.diagnosing import examine; print(examine().remedy is not None)"
    )
    done = subprocess.run(
        [sys.executable, "-ESs", "-c", program, str(root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.strip() in ("True", "False"), done.stderr
    assert ask_doctor(tmp_path) == Choice(), "no checkout there"
    assert ask_doctor(root, str(tmp_path / "no-python")) == Choice()
