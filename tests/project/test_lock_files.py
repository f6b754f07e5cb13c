from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from setup_env.errors import SetupError
from setup_env.lockfile import read_lock

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))

ENTRY = """\
# a comment
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:{0} \\
    --hash=sha256:{1}
    # via gguf
rich==15.0.0 \\
    --hash=sha256:{1}
""".format("a" * 64, "b" * 64)


def test_they_are_all_there() -> None:
    names = ["dev.lock", "native.lock", "oracles.lock", "run.lock"]
    assert [path.name for path in LOCKS] == names


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_no_address_and_no_option_leaked_in(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        assert "://" not in line
        assert not re.match(r"\s*--(?!hash=sha256:)", line)


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_package_is_pinned_and_hashed(path: Path) -> None:
    lock = read_lock(path)
    assert len(lock.pins) >= 2
    assert all(pin.version and pin.hashes for pin in lock.pins)


ONE_FILE = {"llama-cpp-python"}  # is released as source alone


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_hashes_cover_whatever_pip_may_take(path: Path) -> None:
    """A wheel or the source, by what the index and the platform have."""
    lock = read_lock(path)
    assert {pin.name for pin in lock.pins if len(set(pin.hashes)) < 2} <= ONE_FILE


def test_run_is_a_part_of_dev() -> None:
    run, dev = (
        {(pin.name, pin.version) for pin in read_lock(ROOT / f"requirements/{name}.lock").pins}
        for name in ("run", "dev")
    )
    assert run < dev


def test_llama_cpp_python_is_the_one_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pin = read_lock(ROOT / "requirements/run.lock").pin("llama-cpp-python")
    assert f"{pin.name}=={pin.version}" in project["dependencies"]


def test_parts_of_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.write_text(ENTRY, encoding="utf-8")
    lock = read_lock(path)
    assert [(pin.name, pin.version, len(pin.hashes)) for pin in lock.pins] == [
        ("numpy", "2.4.6", 2),
        ("rich", "15.0.0", 1),
    ]
    assert lock.text(without="numpy") == f"rich==15.0.0 \\\n    --hash=sha256:{'b' * 64}\n"
    assert "python_full_version < '3.12'" in lock.text()
    with pytest.raises(SetupError, match="0 times"):
        lock.pin("gguf")


@pytest.mark.parametrize(
    "text",
    ["rich==15.0.0\n", "rich>=15 --hash=sha256:" + "a" * 64, "    indented\n", "--index-url x\n"],
)
def test_a_lock_that_verifies_nothing_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.lock"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SetupError):
        read_lock(path)
