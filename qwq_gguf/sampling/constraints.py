"""Stages that favour or forbid tokens by name: a logit bias, and a grammar.

llama.cpp applies both before its chain and has no name for them in a sequence. Here they
are stages as the others are; what a chain may do before them is the chain's business.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

from qwq_gguf.errors import ChainError
from qwq_gguf.sampling.definition import Biases, Stage, setting
from qwq_gguf.sampling.gbnf import Gbnf, parse_gbnf

__all__ = ["SCOPES", "Biases", "Grammar", "LogitBias", "Scope"]

Scope: TypeAlias = Literal["answer", "reply"]

SCOPES: tuple[Scope, ...] = ("answer", "reply")
_MAX_BIASES = 1024
_MAX_BIAS = 1000.0
_MAX_TOKEN_TEXT = 256
_MAX_ID = 2**31 - 1
_MAX_ROOT = 64


@dataclass(frozen=True, slots=True)
class LogitBias(Stage):
    """Add numbers to the logits of single tokens; minus infinity forbids one. Off: none.

    A token is given by its id, or by its text: the text of a control token is that token,
    any other must be exactly one token in the model's vocabulary. Which one that is, only
    the vocabulary knows (`with_ids`).
    """

    name: ClassVar[str] = "logit_bias"
    unnamed: ClassVar[bool] = True
    why_off: ClassVar[str] = "no token has a bias"
    biases: Biases = field(default=(), metadata=setting("logit_bias"))

    def __post_init__(self) -> None:
        if not isinstance(self.biases, tuple):
            raise ChainError("logit_bias: not a tuple of pairs", found=repr(self.biases)[:80])
        if len(self.biases) > _MAX_BIASES:
            raise ChainError(
                "logit_bias: too many tokens", found=len(self.biases), expected=_MAX_BIASES
            )
        seen: set[object] = set()
        for token, bias in map(_pair, self.biases):
            _check_token(token)
            _check_bias(token, bias)
            if token in seen:
                raise ChainError("logit_bias: a token stands twice", found=repr(token))
            seen.add(token)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return all(bias == 0 for _, bias in self.biases)

    @property
    def bans(self) -> bool:
        """Whether it forbids any token."""
        return any(bias == -math.inf for _, bias in self.biases)

    def with_ids(self, find: Callable[[str], int]) -> LogitBias:
        """Every token by its id; `find` gives that of a text. ChainError if two are one."""
        return LogitBias(
            tuple((find(t) if isinstance(t, str) else t, bias) for t, bias in self.biases)
        )

    def by_id(self) -> dict[int, float]:
        """The numbers by id. ChainError while any token is given by its text."""
        for token, _ in self.biases:
            if isinstance(token, str):
                raise ChainError(
                    "logit_bias: only a vocabulary knows which token this is", found=repr(token)
                )
        return {token: bias for token, bias in self.biases if isinstance(token, int)}


@dataclass(frozen=True, slots=True)
class Grammar(Stage):
    """Forbid every token that cannot continue a text of this GBNF grammar. Off: no grammar.

    `root` is the rule that the whole text satisfies. With the scope `answer` a thought is
    left alone, and the answer after it, blank lines before it aside, is such a text; with
    `reply` everything is that the model generates.
    """

    name: ClassVar[str] = "grammar"
    unnamed: ClassVar[bool] = True
    why_off: ClassVar[str] = "it is empty"
    text: str = field(default="", metadata=setting("grammar"))
    root: str = field(default="root", metadata=setting("grammar_root", only_with="grammar"))
    scope: Scope = field(default="answer", metadata=setting("grammar_scope", only_with="grammar"))

    def __post_init__(self) -> None:
        for part in ("text", "root"):
            if not isinstance(getattr(self, part), str):
                raise ChainError(f"grammar: {part} is not text", found=repr(self.text)[:80])
        if not 0 < len(self.root) <= _MAX_ROOT:
            raise ChainError("grammar: root is not the name of a rule", found=self.root[:80])
        if self.scope not in SCOPES:
            raise ChainError(
                "grammar: there is no such scope", found=self.scope, expected=" or ".join(SCOPES)
            )
        if not self.off:
            _ = self.rules, parse_gbnf(*self.after_lines())

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return not self.text.strip()

    @property
    def bans(self) -> bool:
        """All that cannot go on a text of it."""
        return not self.off

    @property
    def rules(self) -> Gbnf:
        """The grammar, read. Not to be asked for when it is off."""
        return parse_gbnf(self.text, self.root)

    def after_lines(self) -> tuple[str, str]:
        """Text and root of the same with up to four line ends allowed in front.

        A model that closes a thought goes on with a new line or two, which are no part of the
        answer; without them it would begin as no answer did that it has learnt from.
        """
        name = "start"
        while name in self.rules.names:
            name += "-"
        return f"{name} ::= [\\n]{{0,4}} {self.root}\n{self.text}", name


def _pair(entry: object) -> tuple[object, object]:
    if not isinstance(entry, tuple) or len(entry) != 2:
        raise ChainError("logit_bias: an entry is a token and a number", found=repr(entry)[:80])
    return entry


def _check_token(token: object) -> None:
    if isinstance(token, str):
        try:
            size = len(token.encode())
        except UnicodeEncodeError:
            size = 0
        if not 0 < size <= _MAX_TOKEN_TEXT:
            raise ChainError(
                "logit_bias: a token's text is too long, or none",
                found=repr(token)[:80],
                expected=f"1 to {_MAX_TOKEN_TEXT} bytes",
            )
    elif isinstance(token, bool) or not isinstance(token, int) or not 0 <= token <= _MAX_ID:
        raise ChainError(
            "logit_bias: no token's id or text", found=repr(token)[:80], expected=f"0 to {_MAX_ID}"
        )


def _check_bias(token: object, bias: object) -> None:
    number = isinstance(bias, (int, float)) and not isinstance(bias, bool)
    if not number or not (bias == -math.inf or -_MAX_BIAS <= bias <= _MAX_BIAS):  # type: ignore[operator]
        raise ChainError(
            "logit_bias: a bias is out of range",
            found=f"{bias!r} for {token!r}"[:80],
            expected=f"{-_MAX_BIAS:g} to {_MAX_BIAS:g}, or -inf to forbid the token",
        )
