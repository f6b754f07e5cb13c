"""Files with names that no one would choose, given to the commands; and names of models."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from typer.testing import CliRunner

from qwq_gguf.checkpoint.hub.name import parse_hub_name
from qwq_gguf.cli.app import app
from qwq_gguf.errors import SourceError
from soak_inputs import Trial
from soak_inputs._mutate import endless
from support.header_files import qwq_keys, qwq_tensors, write_header_file

__all__ = ["CLASS", "trials"]

CLASS = "file-names"

_PIECES = (
    "a", "B", "model", "QwQ-32B", "-Q4_K_M", "-00001-of-00002", "-00002-of-00001", ".gguf",
    ".part1of2",
    ".safetensors", ".json", "..", ".", "-", "--help", "-o", "~", "~root", "$HOME", "$(id)", "`id`",
    "'", '"', "\\", "\\n", "\n", "\r", "\t", " ", "  ", "\x1b[2J", "\x1b]0;x\x07", "\x7f",
    "\x9b31m",
    "\u202e", "\u2066", "\u200f", "\ufeff", "\udcff", "\udc9b", "é", "e\u0301", "🐈", "%s", "%n",
    "{}",
    "{{ .System }}", "{%", "#", ";", "|", "&", ">", "<", "*", "?", "[a]", ":", "@", "hf.co",
    "https:",
    "FROM", "=", ",", "[red]", "[/]", "[link=x]", "con", "nul", "x" * 240,
)  # fmt: skip
_RUNTIMES = (
    "ollama", "lmstudio", "llama-server", "vllm", "transformers", "text-generation-webui",
    "openwebui",
)  # fmt: skip
# What may never reach a terminal or a file of settings as it is.
_RAW = frozenset("\x1b\x07\x7f\x9b\u202e\u2066\r")


def trials(seed: int) -> Iterator[Trial]:
    """Commands that look at a small GGUF under an odd name, and write settings beside it."""
    return endless(seed, "name", _run)


def _run(seed: int) -> None:
    rng = random.Random(seed)
    name = "".join(rng.choice(_PIECES) for _ in range(rng.choice((1, 2, 3, 5, 8)))).replace("/", "")
    if rng.random() < 0.7 and not name.endswith(".gguf"):
        name += ".gguf"
    raw = os.fsencode(name)[:250]
    name = os.fsdecode(raw)
    try:
        parse_hub_name(f"org/{name}")
    except SourceError:
        pass
    folder = Path("names")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if name in ("", ".", ".."):
        name = "x"
    path = folder / name
    try:
        shutil.copy(_whole(), path)
    except OSError:  # a name that this file system does not take
        raise SourceError("no file can have this name") from None
    given = rng.choice((f"names/{name}", str(path.absolute()), f"./names/{name}"))
    out = str(folder / "out")
    runtime = rng.choice(_RUNTIMES)
    refused = _command(["inspect", given])
    refused = refused or _command(
        rng.choice(
            (
                ["inspect", "--json", given],
                ["modelfile", given],
                ["modelfile", given, "-o", out],
                ["export", runtime, given, "-o", f"{out}-{runtime}"],
                ["verify", given],
            )
        )
    )
    if refused:
        raise SourceError("a command refuses this name")


def _command(arguments: list[str]) -> bool:
    """Run it; whether it ended in an error of ours (`verify` also ends with 1 in findings)."""
    done = CliRunner().invoke(app, arguments)
    said = done.output
    if "fault in qwq-gguf itself" in said:
        raise AssertionError(said[-500:])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    # JSON has its own escapes, and stdout that is no terminal gets what was asked for.
    if raw := _RAW & set(done.stderr):
        raise AssertionError(f"{sorted(raw)!r} reached the terminal: {done.stderr[-300:]!r}")
    return done.exit_code != 0 and "error: " in said


@cache
def _whole() -> Path:
    return write_header_file(Path("whole.bin"), qwq_keys(), qwq_tensors()).absolute()
