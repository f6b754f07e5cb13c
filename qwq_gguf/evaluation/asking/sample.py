"""One reply to one question, as figures count it and as a samples file keeps it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["SAMPLE_SCHEMA", "Cell", "ReplyKey", "Sample", "Tokens"]

SAMPLE_SCHEMA = "qwq-gguf/eval-sample/2"


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """What is compared with others: a model under a profile and a governor, each by its name."""

    model: str
    profile: str
    governor: str


@dataclass(frozen=True, slots=True, order=True)
class ReplyKey:
    """Which reply it is: of a cell, the `sample`-th (from 0) to the question called `key`."""

    cell: Cell
    key: str
    sample: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """A reply as tokens, the prompt before it; of several rounds of tools the last one."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One reply to one question.

    `found` is what the grader read, `why` what is wrong. `reply_tokens` are all that were
    generated, `thought_tokens` those of the thought, closing tag included. `looped`: the tokens
    went in circles, whether or not a governor was there to see it. `answered`: there is an answer,
    or calls where calls were asked for. `seconds` is this reply's share of the time in which it
    was made with others, so those of all replies add up to the time that they took. `calls`
    counts the calls of tools.
    """

    model: str
    profile: str
    governor: str
    key: str
    skill: str
    sample: int
    seed: int
    right: bool
    found: str | None
    why: str | None
    answered: bool
    looped: bool
    thought_tokens: int
    reply_tokens: int
    prompt_tokens: int
    calls: int
    thought_ended: str
    finish_reason: str
    seconds: float
    thought: str
    answer: str
    tokens: Tokens | None = None

    @property
    def cell(self) -> Cell:
        """The cell it belongs to."""
        return Cell(self.model, self.profile, self.governor)

    @property
    def reply_key(self) -> ReplyKey:
        """Which reply it is."""
        return ReplyKey(self.cell, self.key, self.sample)

    def to_json(self) -> dict[str, Any]:
        """The sample as a JSON object, with its schema."""
        raw = {each.name: getattr(self, each.name) for each in fields(self)}
        raw["seconds"] = round(self.seconds, 4)
        tokens = raw.pop("tokens")
        if tokens is not None:
            raw["tokens"] = {"prompt": list(tokens.prompt), "reply": list(tokens.reply)}
        return {"schema": SAMPLE_SCHEMA, **raw}

    @classmethod
    def from_json(cls, raw: object) -> Sample:
        """ValueError for what is no such object; fields that are not known are left out."""
        if not isinstance(raw, Mapping) or raw.get("schema") != SAMPLE_SCHEMA:
            raise ValueError(f"no {SAMPLE_SCHEMA}")
        values = {name: _checked(raw, name, kinds) for name, kinds in _KINDS.items()}
        tokens = raw.get("tokens")
        return cls(**values, tokens=None if tokens is None else _tokens(tokens))


_TEXT, _OPTIONAL, _WHOLE, _SWITCH = (str,), (str, type(None)), (int,), (bool,)
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("model", "profile", "governor", "key", "skill"), _TEXT),
    **dict.fromkeys(("sample", "seed"), _WHOLE),
    "right": _SWITCH,
    **dict.fromkeys(("found", "why"), _OPTIONAL),
    **dict.fromkeys(("answered", "looped"), _SWITCH),
    **dict.fromkeys(("thought_tokens", "reply_tokens", "prompt_tokens", "calls"), _WHOLE),
    **dict.fromkeys(("thought_ended", "finish_reason"), _TEXT),
    "seconds": (int, float),
    **dict.fromkeys(("thought", "answer"), _TEXT),
}


def _checked(raw: Mapping[str, Any], name: str, kinds: tuple[type, ...]) -> Any:
    value = raw.get(name)
    right = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
    if not right or (isinstance(value, int | float) and not 0 <= value < 1 << 53):
        raise ValueError(f"{name} is {repr(value)[:60]}")
    return value


def _tokens(raw: object) -> Tokens:
    if not isinstance(raw, Mapping):
        raise ValueError("tokens is no object")
    rows = [raw.get(name) for name in ("prompt", "reply")]
    for row in rows:
        if not isinstance(row, list) or not all(type(token) is int for token in row):
            raise ValueError("tokens are no lists of whole numbers")
    prompt, reply = rows
    return Tokens(tuple(prompt), tuple(reply))  # type: ignore[arg-type]
