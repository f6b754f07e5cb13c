"""What the tests compare with is installed where there are wheels of it, and missed nowhere."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest
from setup_env.lockfile import read_lock
from setup_env.oracles import install_oracles
from setup_env.venv import Venv

# A real pip that knows one folder only and installs into another.
PYTHON = """\
#!/bin/sh
[ "$1 $2 $3" = "-m pip install" ] || exit 1
shift 3
exec {python} -m pip install --no-index --find-links {wheels} --target {target} "$@"
"""


def write_wheel(folder: Path, name: str) -> str:
    """A package of one line; its SHA-256."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    about = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", "here = True\n")
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


def test_what_has_no_wheel_here_stops_nothing(tmp_path: Path, wheels: Path) -> None:
    target = tmp_path / "target"
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON.format(python=sys.executable, wheels=wheels, target=target))
    python.chmod(0o755)
    sdist = wheels / "onlysource-1.0.tar.gz"
    sdist.write_bytes(b"")
    pins = {
        "nowhere": "0" * 64,
        "onlysource": hashlib.sha256(b"").hexdigest(),
        "forged": "1" * 64,
        "oracle": write_wheel(wheels, "oracle"),
    }
    write_wheel(wheels, "forged")
    lock = tmp_path / "oracles.lock"
    lock.write_text(
        "".join(f"{name}==1.0 \\\n    --hash=sha256:{digest}\n" for name, digest in pins.items())
    )
    log = tmp_path / "log"
    log.write_bytes(b"")
    missing = install_oracles(Venv(tmp_path / "venv"), read_lock(lock), log=log)
    assert missing == ("nowhere", "onlysource", "forged")
    assert (target / "oracle.py").is_file()
    assert not (target / "forged.py").exists()
    assert "DO NOT MATCH THE HASHES" in log.read_text(encoding="utf-8")
