"""python -m setup_env ROOT run|dev STAMP-KEY: make or update ROOT/.venv.

Started by scripts/lib/setup.sh, and only when the stamp in .venv is not of this key.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from .choice import ask_doctor
from .errors import SetupError
from .lockfile import read_lock
from .meter import minutes
from .native import ensure
from .oracles import install_oracles
from .process import exclusive
from .venv import Venv

_NATIVE = "llama-cpp-python"


def main(arguments: list[str]) -> int:
    """Set up, or say in one sentence why not."""
    root, level, key = Path(arguments[0]), arguments[1], arguments[2]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        cache = _cache(root)
        checkout = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
        with exclusive(cache / "locks" / checkout, "another set-up of this checkout"):
            _set_up(root, level, key, cache)
    except SetupError as error:
        print(f"\nset-up failed: {error}", file=sys.stderr)
        if error.hint:
            print(f"  try: {error.hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; what is finished is kept, so just run it again", file=sys.stderr)
        return 130
    return 0


def _set_up(root: Path, level: str, key: str, cache: Path) -> None:
    start = time.monotonic()
    venv = Venv(root / ".venv")
    stamp = venv.folder / "qwq-gguf-setup"
    lock = read_lock(root / "requirements" / f"{level}.lock")

    _say(f"setting up {venv.folder} (Python {sys.version.split()[0]})")
    stamp.unlink(missing_ok=True)
    venv.ensure()

    log = cache / "logs" / "pip.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    _say(f"  {len(lock.pins) - 1} packages from requirements/{level}.lock")
    venv.install_locked(lock.text(without=_NATIVE), log=log)

    _say(f"  {_NATIVE} {lock.pin(_NATIVE).version}; if it has to be compiled, that takes minutes")
    tools = root / "requirements" / "native.lock"
    done = ensure(
        venv,
        lock.pin(_NATIVE),
        tools=tools,
        cache=cache,
        environment=os.environ,
        choice=lambda: ask_doctor(root),
    )
    _say(f"    {done}")

    if level == "dev":
        oracles = read_lock(root / "requirements" / "oracles.lock")
        _say(f"  {' and '.join(pin.name for pin in oracles.pins)}, to compare with")
        for name in install_oracles(venv, oracles, log=log):
            _say(f"    no wheel of {name} to be had here: tests that need it are skipped")

    _say("  qwq-gguf itself")
    venv.pip(["install", "--no-deps", "--no-build-isolation", "--no-index", "-e", root], log=log)
    stamp.write_text(f"{key}\n{level}\n{os.environ.get('CMAKE_ARGS', '')}\n", encoding="utf-8")
    _say(f"set up in {minutes(time.monotonic() - start)}\n")


def _cache(root: Path) -> Path:
    """A folder that outlives this checkout, or one in it where there is no home to write to."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    # The specification says that a relative path is to be ignored.
    home = Path(base) if os.path.isabs(base) else Path("~/.cache").expanduser()  # noqa: PTH117
    for folder in (home / "qwq-gguf", root / ".cache" / "qwq-gguf"):
        try:
            (folder / "wheels").mkdir(parents=True, exist_ok=True)
        except (OSError, RuntimeError):
            continue
        if os.access(folder, os.W_OK):
            return folder
    raise SetupError(f"neither {home} nor {root} can be written to")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


sys.exit(main(sys.argv[1:]))
