"""When set-up keeps a llama-cpp-python, and what it takes two builds to be the same."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from setup_env.compiler import Compiler, extra_flags, find_compiler
from setup_env.errors import SetupError
from setup_env.lockfile import Pin, read_lock
from setup_env.native import Action, Installed, Recorded, decide, inspect
from setup_env.venv import Venv
from setup_env.wheel import Build, build_environment, cached_wheel, plan_build

ROOT = Path(__file__).parents[2]
PIN = Pin("llama-cpp-python", "2.0", ("sha256:" + "0" * 64,), "")
NOTHING = Installed()
BROKEN = Installed("2.0", loads=False)
BROKEN_GPU = Installed("2.0", loads=False, gpu=True)
CPU = Installed("2.0", loads=True)
GPU = Installed("2.0", loads=True, gpu=True)
OLD_CPU = Installed("1.0", loads=True)
OLD_GPU = Installed("1.0", loads=True, gpu=True)
CUDA = "-DGGML_CUDA=on"


def by_us(installed: Installed, cmake_args: str = "", target: str = "zen4") -> Installed:
    assert installed.version is not None
    return replace(installed, recorded=Recorded(installed.version, cmake_args, target))


@pytest.mark.parametrize(
    "installed, cmake_args, target, action",
    [
        (NOTHING, "", "zen4", Action.INSTALL),
        (BROKEN, "", "zen4", Action.INSTALL),
        (by_us(BROKEN), CUDA, "zen4", Action.INSTALL),
        # One for a GPU may only lack the driver: it stays, unless somebody says how to build it.
        (BROKEN_GPU, "", "zen4", Action.REFUSE),
        (BROKEN_GPU, CUDA, "zen4", Action.INSTALL),
        (by_us(BROKEN_GPU, CUDA), CUDA, "zen4", Action.INSTALL),
        # Whatever works and is of the right release stays.
        (CPU, "", "zen4", Action.KEEP),
        (GPU, "", "zen4", Action.KEEP),
        (by_us(CPU), "", "zen4", Action.KEEP),
        (by_us(GPU, CUDA), CUDA, "zen4", Action.KEEP),
        # A GPU build stays whatever is asked for; a CPU build makes way for one.
        (GPU, CUDA, "zen4", Action.KEEP_GPU),
        (by_us(GPU, CUDA), "-DGGML_VULKAN=on", "zen4", Action.KEEP_GPU),
        (CPU, CUDA, "zen4", Action.INSTALL),
        (by_us(CPU), CUDA, "zen4", Action.INSTALL),
        # Another machine than it was built for; no compiler to tell; a GPU's driver matters more.
        (by_us(CPU), "", "skylake", Action.INSTALL),
        (by_us(CPU), "", "", Action.KEEP),
        (by_us(GPU, CUDA), CUDA, "skylake", Action.KEEP),
        # Another release: ours is updated, a stranger's GPU build is not touched.
        (OLD_CPU, "", "zen4", Action.INSTALL),
        (OLD_GPU, "", "zen4", Action.REFUSE),
        (OLD_GPU, CUDA, "zen4", Action.INSTALL),
        (by_us(OLD_GPU, CUDA), CUDA, "zen4", Action.INSTALL),
        # A record of something that was replaced since says nothing.
        (replace(OLD_GPU, recorded=Recorded("2.0", "", "zen4")), "", "zen4", Action.REFUSE),
        (replace(CPU, recorded=Recorded("1.0", "", "zen4")), "", "skylake", Action.KEEP),
    ],
)
def test_keep_or_install(
    installed: Installed, cmake_args: str, target: str, action: Action
) -> None:
    assert decide(installed, "2.0", cmake_args, target) is action


def test_an_environment_without_llama_cpp_python(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    # Isolated, so that it does not see the packages of the Python that runs the tests.
    script = f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n'
    (tmp_path / "bin/python").write_text(script, encoding="utf-8")
    (tmp_path / "bin/python").chmod(0o755)
    assert inspect(Venv(tmp_path)) == NOTHING


@pytest.mark.parametrize(
    "library, loads, gpu",
    [
        ("libggml-cuda.so", False, True),
        ("libggml-vulkan.so.0", True, True),
        ("libggml-cpu.so", True, False),
        ("libggml-metal.dylib", False, False),
    ],
)
def test_a_gpu_build_is_known_by_its_files(
    tmp_path: Path, library: str, loads: bool, gpu: bool
) -> None:
    """Where there is no driver it fails to load, or says that it cannot offload."""
    code = "def llama_supports_gpu_offload(): return False\n" if loads else "1 / 0\n"
    (tmp_path / "llama_cpp/lib").mkdir(parents=True)
    (tmp_path / "llama_cpp/lib" / library).touch()
    (tmp_path / "llama_cpp/__init__.py").write_text(code, encoding="utf-8")
    (tmp_path / "llama_cpp_python-2.0.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: 2.0\n"
    (tmp_path / "llama_cpp_python-2.0.dist-info/METADATA").write_text(metadata, encoding="utf-8")
    (tmp_path / "bin").mkdir()
    script = f'#!/bin/sh\nPYTHONPATH="{tmp_path}" exec "{sys.executable}" -S "$@"\n'
    (tmp_path / "bin/python").write_text(script, encoding="utf-8")
    (tmp_path / "bin/python").chmod(0o755)
    assert inspect(Venv(tmp_path)) == Installed("2.0", loads=loads, gpu=gpu)


def test_this_environment() -> None:
    installed = inspect(Venv(Path(sys.prefix)))
    assert installed.loads
    assert installed.version == read_lock(ROOT / "requirements/run.lock").pin(PIN.name).version


# ------------------------------------------------------------------ compiler


# As gcc and clang spell them: one that no compiler knows would be left out without a word.
AMX_FLAGS = ("-mno-amx-tile", "-mno-amx-int8", "-mno-amx-bf16")


def compiler(tmp_path: Path, accepted: tuple[str, ...] = AMX_FLAGS) -> Compiler:
    """A compiler that knows no flags but these."""
    path = tmp_path / "cc"
    known = "|".join([*accepted, "-x", "c", "c++", "-", "-o", "*/probe"])
    path.write_text(
        f"#!/bin/sh\nfor word; do case $word in ({known}) ;; (*) exit 1; esac; done\n",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return Compiler((str(path),), (str(path),), "test 1.0", "zen4")


def test_amx_is_off_where_the_compiler_knows_it(tmp_path: Path) -> None:
    assert extra_flags(compiler(tmp_path), "x86_64") == AMX_FLAGS
    assert extra_flags(compiler(tmp_path), "AMD64") == AMX_FLAGS
    assert extra_flags(compiler(tmp_path), "arm64") == ()


def test_an_old_compiler_gets_none_of_the_flags(tmp_path: Path) -> None:
    assert extra_flags(compiler(tmp_path, accepted=AMX_FLAGS[:2]), "x86_64") == ()


def test_flags_are_added_to_the_users_own(tmp_path: Path) -> None:
    environment = {"CFLAGS": "-O2", "CMAKE_ARGS": CUDA, "HOME": "/home/me"}
    build = plan_build(PIN, compiler(tmp_path), environment)
    variables = dict(build.variables)
    assert variables["CMAKE_ARGS"] == CUDA
    assert "HOME" not in variables
    assert variables["CFLAGS"].startswith("-O2")


def test_it_is_built_for_this_processor_whatever_packagers_say(tmp_path: Path) -> None:
    environment = {"SOURCE_DATE_EPOCH": "1700000000", "PATH": "/usr/bin", "HOME": "/home/me"}
    build = plan_build(PIN, compiler(tmp_path), environment)
    seen = build_environment(build, environment, tmp_path / "bin", tmp_path / "scratch")
    assert "SOURCE_DATE_EPOCH" not in seen
    assert seen["HOME"] == "/home/me"
    assert seen["PATH"] == f"{tmp_path / 'bin'}:/usr/bin"


def test_the_machines_own_compiler() -> None:
    try:
        found = find_compiler(os.environ)
    except SetupError as error:
        pytest.skip(f"no compiler: {error}")
    assert found.accepts("-O1")
    assert not found.accepts("-mno-such-thing-as-this")
    assert found.target


def test_a_missing_compiler_is_said_with_what_to_install() -> None:
    with pytest.raises(SetupError, match=r"C\+\+17 compiler") as caught:
        find_compiler({"CXX": "no-such-compiler"})
    assert "install" in caught.value.hint


# --------------------------------------------------------------------- cache


BUILD = Build("2.0", PIN.hashes, "linux-x86_64", "glibc 2.36", "gcc 12", "zen4", ())


@pytest.mark.parametrize(
    "other",
    [
        replace(BUILD, version="2.1"),
        replace(BUILD, source_hashes=("sha256:" + "1" * 64,)),
        replace(BUILD, platform="macosx-14-arm64"),
        replace(BUILD, libc="glibc 2.39"),
        replace(BUILD, compiler="gcc 13"),
        replace(BUILD, target="skylake"),
        replace(BUILD, variables=(("CMAKE_ARGS", CUDA),)),
        replace(BUILD, defines=""),
    ],
)
def test_whatever_changes_the_build_changes_its_key(other: Build) -> None:
    assert other.key != BUILD.key
    assert replace(BUILD).key == BUILD.key


def put(cache: Path, content: bytes = b"a wheel") -> Path:
    folder = cache / "wheels" / BUILD.key
    folder.mkdir(parents=True)
    (folder / "x.whl").write_bytes(content)
    facts = {
        "wheel": "x.whl",
        "sha256": hashlib.sha256(b"a wheel").hexdigest(),
        "build": asdict(BUILD),
    }
    (folder / "build.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


def test_a_cached_wheel_is_found(tmp_path: Path) -> None:
    assert cached_wheel(tmp_path, BUILD) is None
    folder = put(tmp_path)
    assert cached_wheel(tmp_path, BUILD) == folder / "x.whl"
    assert cached_wheel(tmp_path, replace(BUILD, target="skylake")) is None


def test_a_damaged_or_unfinished_cache_entry_is_none(tmp_path: Path) -> None:
    folder = put(tmp_path, content=b"a whe")
    assert cached_wheel(tmp_path, BUILD) is None
    (folder / "build.json").write_text("{", encoding="utf-8")
    assert cached_wheel(tmp_path, BUILD) is None
    (folder / "build.json").unlink()
    assert cached_wheel(tmp_path, BUILD) is None
