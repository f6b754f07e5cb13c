"""The scripts a newcomer starts with."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASH = shutil.which("bash") or "bash"
NAMES = [".ci/run", "scripts/demo", "scripts/lib/setup.sh", "scripts/lock", "scripts/test"]


def bash(
    code: str, *, path: Path | str | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(path or os.environ["PATH"]), "HOME": os.environ.get("HOME", "/")}
    return subprocess.run(
        [BASH, "-euc", code],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("name", NAMES)
def test_syntax(name: str) -> None:
    done = bash(f'bash -n "{ROOT / name}"')
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith(".sh")])
def test_executable(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)


def test_the_root_is_found_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "a link").symlink_to(ROOT)
    setup = tmp_path / "a link" / "scripts" / "lib" / "setup.sh"
    done = bash(f'. "{setup}"; printf %s "$root"', cwd=tmp_path)
    assert done.stdout == str(ROOT.resolve())


def fake_python(folder: Path, name: str, answer: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!{BASH}\necho {answer}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def find_python(folder: Path) -> subprocess.CompletedProcess[str]:
    return bash(f'. "{ROOT}/scripts/lib/setup.sh"; PATH="{folder}"; find_python')


def test_a_new_python_is_preferred_to_an_old_or_crippled_one(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", "old")
    fake_python(tmp_path, "python3.13", "bare")
    fake_python(tmp_path, "python3.12", "yes")
    assert find_python(tmp_path).stdout == "python3.12\n"


@pytest.mark.parametrize(
    "answer, message",
    [
        ("", "Python 3.11 or newer is needed."),
        ("old", "Python 3.11 or newer is needed, and only an older one was found."),
        ("bare", "cannot make virtual environments."),
    ],
)
def test_what_to_install_is_said(tmp_path: Path, answer: str, message: str) -> None:
    if answer:
        fake_python(tmp_path, "python3", answer)
    done = find_python(tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "try: " in done.stderr
    assert done.stdout == ""


def ready(root: Path, level: str, key: str, cmake_args: str = "") -> bool:
    setup = f'. "{ROOT}/scripts/lib/setup.sh"; root="{root}"; CMAKE_ARGS="{cmake_args}"'
    done = bash(f'{setup}; if ready {level} "{key}"; then echo yes; else echo no; fi')
    assert done.stderr == ""
    return done.stdout == "yes\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with a .venv that was set up for ./scripts/test with the key `1 2`."""
    folder = tmp_path / ".venv"
    for name, code in {"python": "exit 0", "qwq-gguf": "exit 0"}.items():
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "bin" / name).write_text(f"#!{BASH}\n{code}\n", encoding="utf-8")
        (folder / "bin" / name).chmod(0o755)
    (folder / "qwq-gguf-setup").write_text("1 2\ndev\n-DX=on\n", encoding="utf-8")
    return tmp_path


def test_a_finished_setup_is_not_done_again(checkout: Path) -> None:
    assert ready(checkout, "dev", "1 2")
    assert ready(checkout, "run", "1 2")
    assert ready(checkout, "dev", "1 2", "-DX=on")


@pytest.mark.parametrize(
    "level, key, cmake_args", [("dev", "1 3", ""), ("dev", "1 2", "-DGGML_CUDA=on")]
)
def test_a_change_is_noticed(checkout: Path, level: str, key: str, cmake_args: str) -> None:
    assert not ready(checkout, level, key, cmake_args)


def test_the_demos_environment_is_too_little_for_the_tests(checkout: Path) -> None:
    (checkout / ".venv/qwq-gguf-setup").write_text("1 2\nrun\n\n", encoding="utf-8")
    assert ready(checkout, "run", "1 2")
    assert not ready(checkout, "dev", "1 2")


@pytest.mark.parametrize("name", ["qwq-gguf-setup", "bin/qwq-gguf", "bin/python"])
def test_a_missing_part_is_noticed(checkout: Path, name: str) -> None:
    (checkout / ".venv" / name).unlink()
    assert not ready(checkout, "dev", "1 2")
