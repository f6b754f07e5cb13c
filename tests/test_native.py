"""One module finds and loads the native libraries."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from shutil import copy2
from subprocess import run
from sys import executable

import pytest

from qwq_gguf import native
from qwq_gguf.engine.llama.library import SUPPORTED
from qwq_gguf.errors import LibraryError


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
