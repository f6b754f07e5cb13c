"""A text in windows, as a model reads it for its quality or its importance matrix."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import EvaluationError
from qwq_gguf.words import count, human_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwq_gguf.engine.model import Model

__all__ = [
    "MOST_TEXT_BYTES",
    "TextFile",
    "beginning",
    "read_text",
    "sha256_of",
    "text_tokens",
    "windows_of",
]

MOST_TEXT_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text's bytes, without the line end at their end, as llama.cpp's tools read it; the digest
    of the whole file.
    """

    path: Path
    content: bytes
    sha256: str


def read_text(path: Path, window: int) -> TextFile:
    """EvaluationError for a file that cannot be read, has nothing in it, too much, or certainly
    less than a window of so many tokens.
    """
    from qwq_gguf.files.reading import read_given

    try:
        raw = read_given(path, MOST_TEXT_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EvaluationError(f"cannot be read: {reason}", path=path) from error
    if len(raw) > MOST_TEXT_BYTES:
        raise EvaluationError(
            "is too long a text",
            path=path,
            expected=f"at most {human_bytes(MOST_TEXT_BYTES)}",
            hint="a few hundred kilobytes are plenty",
        )
    if not raw.strip():
        raise EvaluationError("has no text in it", path=path)
    if len(raw) < window - 1:  # no token stands for less than a byte
        raise _too_short(path, f"{len(raw)} bytes", window)
    return TextFile(path, raw.removesuffix(b"\n"), hashlib.sha256(raw).hexdigest())


def text_tokens(model: Model, text: TextFile) -> list[int]:
    """A text's tokens as llama-perplexity has them: what spells a control token stays text, and
    the beginning-of-text token stands in front where the model wants it.
    """
    vocabulary = model.vocabulary
    tokens = vocabulary.encode_bytes(text.content)
    return [vocabulary.bos, *tokens] if _begins(model) else tokens  # type: ignore[list-item]


def windows_of(
    model: Model, tokens: Sequence[int], window: int, most: int | None, path: Path
) -> list[list[int]]:
    """The tokens in windows of equal length, `most` at most; a rest is left out.

    EvaluationError where there is not one.
    """
    whole = len(tokens) // window
    if not whole:
        raise _too_short(path, count(len(tokens), "token"), window)
    number = whole if most is None else min(whole, most)
    return [list(tokens[n * window : (n + 1) * window]) for n in range(number)]


def _too_short(path: Path, found: str, window: int) -> EvaluationError:
    return EvaluationError(
        "is too short a text",
        path=path,
        found=found,
        expected=f"at least the {window} tokens of a window",
        hint="take a longer one, or a smaller window with --ctx",
    )


def beginning(model: Model, window: Sequence[int]) -> list[int]:
    """The window as a model reads it: its first token gives way to the beginning-of-text token
    where the model wants one, as in llama.cpp's tools.
    """
    first = model.vocabulary.bos if _begins(model) else window[0]
    return [first, *window[1:]]  # type: ignore[list-item]


def _begins(model: Model) -> bool:
    return model.vocabulary.adds_bos and model.vocabulary.bos is not None


def sha256_of(path: Path | None) -> str:
    """The digest of a file; of none, nothing."""
    if path is None:
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
