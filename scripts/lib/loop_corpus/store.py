"""The files of tests/loops: JSON a line, compressed."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = [
    "FOLDER",
    "HONEST",
    "LINE_BREAKS",
    "LOOPING",
    "Honest",
    "Looping",
    "line_breaks",
    "read_honest",
    "read_looping",
    "write",
]

FOLDER = Path(__file__).resolve().parents[3] / "tests" / "loops"
LOOPING = FOLDER / "looping.jsonl.xz"
HONEST = FOLDER / "honest.jsonl.xz"
LINE_BREAKS = FOLDER / "line_breaks.json"
_MOST_BYTES = 64 << 20

Half = Literal["tuning", "held-out"]


@dataclass(frozen=True, slots=True)
class Looping:
    """A text that a model made and that loops to its end.

    `origin` has model, quant, chain, what it forbids, seed, form, prompt and begin (of the reply).
    `end` says why it ends: eog, length, or loop (it was cut once it had looped for long). The
    looping stretch is labelled by `criterion.py`: its kind, period and first token.
    """

    half: Half
    origin: dict[str, Any]
    end: str
    kind: Literal["periodic", "near"]
    period: int
    begin: int
    text: str
    tokens: list[int]


@dataclass(frozen=True, slots=True)
class Honest:
    """A text that repeats itself and means it.

    `origin` has kind and seed of the rule that wrote it, the file or command that it was taken
    from, or the same as a looping text's. `tokens` are its token ids by tokenizer.
    """

    half: Half
    origin: dict[str, Any]
    text: str
    tokens: dict[str, list[int]] = field(default_factory=dict)


def write(path: Path, entries: Iterable[Looping | Honest]) -> None:
    """Replace a file."""
    lines = (
        json.dumps(asdict(entry), ensure_ascii=False, separators=(",", ":")) for entry in entries
    )
    raw = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME))


def read_looping() -> Iterator[Looping]:
    """All looping texts."""
    return (Looping(**line) for line in _lines(LOOPING))


def read_honest() -> Iterator[Honest]:
    """All honest texts."""
    return (Honest(**line) for line in _lines(HONEST))


def line_breaks() -> dict[str, frozenset[int]]:
    """The tokens with a line break in them that occur here, by model or tokenizer."""
    if not LINE_BREAKS.exists():
        return {}
    told: dict[str, list[int]] = json.loads(LINE_BREAKS.read_text(encoding="utf-8"))
    return {name: frozenset(tokens) for name, tokens in told.items()}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return iter(())
    raw = lzma.LZMADecompressor().decompress(path.read_bytes(), _MOST_BYTES)
    return (json.loads(line) for line in raw.decode().splitlines())
