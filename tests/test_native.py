"""One module finds and loads the native libraries."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from shutil import copy2, which
from subprocess import run
from sys import executable, platform

import pytest

from qwq_gguf import native
from qwq_gguf.engine.llama.library import SUPPORTED
from qwq_gguf.errors import LibraryError
from qwq_gguf.missing_libraries import cure_of


def test_a_missing_library_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    assert native.native_files() == ()
    with pytest.raises(LibraryError, match="no libggml-base") as caught:
        native.load_libggml()
    assert caught.value.path == str(tmp_path)


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "find_spec", lambda name: None)
    for load in (native.load_libggml, native.load_libllama, native.native_files):
        with pytest.raises(LibraryError, match="not installed") as caught:
            load()
        assert caught.value.hint == native.INSTALL


def test_a_broken_build_is_said(tmp_path: Path) -> None:
    """The bindings raise whatever ctypes does; in a process that has not loaded them."""
    (tmp_path / "libllama.so").write_text("not a library")
    code = (
        "from qwq_gguf.native import load_libllama\n"
        "from qwq_gguf.errors import LibraryError\n"
        "try:\n    load_libllama()\nexcept LibraryError as error:\n    print(error.hint)"
    )
    environment = os.environ | {"LLAMA_CPP_LIB_PATH": str(tmp_path)}
    done = run(
        [executable, "-c", code], env=environment, check=False, capture_output=True, text=True
    )
    assert done.stdout.strip() == native.REINSTALL, done.stderr


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("libcuda.so.1: cannot open shared object file: No such file or directory", "--gpus all"),
        (
            "RuntimeError: Failed to load shared library '/x/libllama.so': libcublas.so.13: cannot "
            "open shared object file: No such file or directory",
            "CUDA's libraries",
        ),
        ("libvulkan.so.1: cannot open shared object file: No such file", "Vulkan's loader"),
        ("libgomp.so.1: cannot open shared object file: No such file", "libgomp1"),
        ("libother.so.1: cannot open shared object file: No such file", None),
        ("/x/libllama.so: file too short", None),
    ],
)
def test_a_missing_library_of_the_system_is_known(said: str, cure: str | None) -> None:
    found = cure_of(said)
    assert found is None if cure is None else found is not None and cure in found


def test_a_build_for_a_card_whose_driver_is_not_here_says_so(tmp_path: Path) -> None:
    """A real library that needs one that is not there."""
    compiler = which("cc")
    if compiler is None or platform != "linux":
        pytest.skip("no compiler, or not Linux")
    (tmp_path / "stub.c").write_text("int cuInit(int flags) { return flags; }\n")
    (tmp_path / "user.c").write_text("int cuInit(int); int llama(void) { return cuInit(0); }\n")
    driver, library = tmp_path / "libcuda.so.1", tmp_path / "libllama.so"
    shared = [compiler, "-shared", "-fPIC"]
    run([*shared, "-Wl,-soname,libcuda.so.1", "-o", driver, tmp_path / "stub.c"], check=True)
    run([*shared, "-o", library, tmp_path / "user.c", driver], check=True)
    driver.unlink()
    with pytest.raises(LibraryError) as caught:
        native.load_libggml(library)
    assert caught.value.hint is not None
    assert "--gpus all" in caught.value.hint


def test_all_parts_are_of_the_folder_that_is_named(tmp_path: Path) -> None:
    """Or a build for a card would be asked by the CPU build of the package what cards it has."""
    for path in native.native_folder().iterdir():
        if path.is_file():
            copy2(path, tmp_path / path.name)
    code = (
        "import ctypes\nfrom qwq_gguf.engine.llama.library import library_facts\n"
        "opened = []\nof = ctypes.CDLL\n"
        "ctypes.CDLL = lambda name, *a, **k: (opened.append(str(name)), of(name, *a, **k))[1]\n"
        "print(library_facts().folder)\n"
        "print(*(name for name in opened if 'ggml' in name or 'llama.' in name), sep='\\n')"
    )
    environment = os.environ | {"LLAMA_CPP_LIB_PATH": str(tmp_path)}
    done = run(
        [executable, "-c", code], env=environment, check=False, capture_output=True, text=True
    )
    folder, *opened = done.stdout.split("\n")[:-1]
    assert Path(folder) == tmp_path, done.stderr
    assert len(opened) >= 2
    assert {Path(name).parent for name in opened} == {tmp_path}


def test_the_libraries_are_among_the_files() -> None:
    _, path = native.load_libggml()
    assert path in native.native_files()
    assert any("llama" in file.name for file in native.native_files())


def test_what_is_told_to_install_is_what_is_pinned_and_known() -> None:
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8"))
    pinned = [line for line in project["project"]["dependencies"] if "llama-cpp" in line]
    assert pinned == [native.INSTALL.removeprefix("pip install ")]
    assert pinned[0].rpartition("==")[2] in SUPPORTED
