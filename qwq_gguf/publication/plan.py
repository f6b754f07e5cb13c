"""What is to be sent to a repository: every file with its name there, its size and content."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwq_gguf.errors import PublishError
from qwq_gguf.publication.model_card import model_card
from qwq_gguf.publication.values import Published

__all__ = ["CARD", "PUBLISH_SCHEMA", "PublishPlan", "Sent", "make_publish_plan"]

PUBLISH_SCHEMA = "qwq-gguf/publish/1"
CARD = "README.md"
# What Windows, shells and addresses all take as it is.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}")


@dataclass(frozen=True, slots=True)
class Sent:
    """One file: `content` is a text that was made for the repository, or where the file lies."""

    name: str
    content: str | Path
    nbytes: int
    what: str


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """All that goes to `repo`, the largest files last."""

    model: Published
    private: bool
    files: tuple[Sent, ...]

    @property
    def repo(self) -> str:
        """`org/name` there."""
        return self.model.repo

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return sum(file.nbytes for file in self.files)

    @property
    def card(self) -> str:
        """The text of README.md."""
        return next(str(file.content) for file in self.files if file.name == CARD)

    def to_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "schema": PUBLISH_SCHEMA,
            "to": self.repo,
            "private": self.private,
            "bytes": self.nbytes,
            "files": [
                {"name": file.name, "bytes": file.nbytes, "what": file.what} for file in self.files
            ],
            "quants": [quant.to_json() for quant in self.model.quants],
            "card": self.card,
        }


def make_publish_plan(
    model: Published, *, private: bool, texts: dict[str, str], files: Iterable[tuple[Path, str]]
) -> PublishPlan:
    """The plan for a model's `files` (a path, and what it is) and `texts` (by name).

    PublishError for names that a repository should not have, and for two of one name.
    """
    made = [_text(CARD, model_card(model), "model card")]
    made += [_text(name, text, "read by Ollama") for name, text in texts.items()]
    found = [Sent(path.name, path, path.stat().st_size, what) for path, what in files]
    every = (*made, *sorted(found, key=lambda each: (each.nbytes, each.name)))
    _check(every)
    return PublishPlan(model, private, every)


def _text(name: str, text: str, what: str) -> Sent:
    return Sent(name, text, len(text.encode()), what)


def _check(files: Sequence[Sent]) -> None:
    seen: dict[str, Sent] = {}
    for file in files:
        if not _NAME.fullmatch(file.name):
            raise PublishError(
                "this name would make trouble in a repository",
                found=repr(file.name[:80]),
                expected="letters, digits and . _ + -",
                hint="rename the file, with its manifest (qwq-gguf verify says if they agree)",
            )
        other = seen.setdefault(file.name.lower(), file)
        if other is not file:
            raise PublishError(
                "two files would have one name there",
                found=f"{other.content} and {file.content}",
                hint="leave one out, or rename it",
            )
