"""Which settings a model is run with, the flags that change them, and the table of them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from qwq_gguf.cli.flags.completion import complete_profile
from qwq_gguf.cli.terminal.output import note, show_table
from qwq_gguf.cli.terminal.refusal import Refusal
from qwq_gguf.errors import ChainError

if TYPE_CHECKING:
    from qwq_gguf.profiles import Profile, Resolved
    from qwq_gguf.sampling.chain import ChainRow
    from qwq_gguf.sampling.settings import SettingValue
    from qwq_gguf.sampling.stages import Window

__all__ = [
    "Constrained",
    "ProfileName",
    "ProfileOfFile",
    "Sampling",
    "chain_rows",
    "flags_refused",
    "show_chain",
    "show_notes",
]


ProfileName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Sampler chain and stops, see `qwq-gguf profiles`.  [default: auto, as the file says]",
        autocompletion=complete_profile,
    ),
]
ProfileOfFile: TypeAlias = Annotated[
    str,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Whose settings; auto takes them from the file. See `qwq-gguf profiles`.",
        autocompletion=complete_profile,
    ),
]
# Ranges are the chain's business: it knows them, and says why.
Temperature: TypeAlias = Annotated[
    float | None,
    typer.Option("--temperature", "--temp", metavar="T", help="Override the temperature."),
]
TopK: TypeAlias = Annotated[
    int | None, typer.Option("--top-k", metavar="K", help="Override top_k (0: off).")
]
TopP: TypeAlias = Annotated[
    float | None, typer.Option("--top-p", metavar="P", help="Override top_p (1: off).")
]
MinP: TypeAlias = Annotated[
    float | None, typer.Option("--min-p", metavar="P", help="Override min_p (0: off).")
]
PresencePenalty: TypeAlias = Annotated[
    float | None,
    typer.Option("--presence-penalty", metavar="X", help="Override the presence penalty (0: off)."),
]
FrequencyPenalty: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--frequency-penalty", metavar="X", help="Override the frequency penalty (0: off)."
    ),
]
RepeatPenalty: TypeAlias = Annotated[
    float | None,
    typer.Option("--repeat-penalty", metavar="X", help="Override the repeat penalty (1: off)."),
]
RepeatLastN: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--repeat-last-n",
        metavar="N",
        help="Tokens the penalties look back on: a number, generation, or context (-1).",
    ),
]
LogitBias: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "-l",
        "--logit-bias",
        metavar="TOKEN=BIAS",
        help="Add BIAS to a token's logit, -inf forbids it. TOKEN: an id, or the token's text. "
        "May be repeated.",
    ),
]
Grammar: TypeAlias = Annotated[
    str | None,
    typer.Option("--grammar", metavar="GBNF", help="Let the answer be a text of this grammar."),
]
GrammarFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--grammar-file", metavar="FILE", help="The same, read from a file."),
]


@dataclass(frozen=True, slots=True)
class Sampling:
    """The numbers of a chain."""

    temperature: Temperature = None
    top_k: TopK = None
    top_p: TopP = None
    min_p: MinP = None
    presence_penalty: PresencePenalty = None
    frequency_penalty: FrequencyPenalty = None
    repeat_penalty: RepeatPenalty = None
    repeat_last_n: RepeatLastN = None

    def overrides(self) -> dict[str, SettingValue | None]:
        """The settings that they name; None where one is silent. Usage error for a bad flag."""
        return {
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "min_p": self.min_p,
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "repeat_penalty": self.repeat_penalty,
            "penalty_window": _window(self.repeat_last_n),
        }


@dataclass(frozen=True, slots=True)
class Constrained(Sampling):
    """The same, and what an answer is held to."""

    logit_bias: LogitBias = None
    grammar: Grammar = None
    grammar_file: GrammarFile = None

    def overrides(self) -> dict[str, SettingValue | None]:
        """The settings that they name; None where one is silent. Usage error for a bad flag."""
        biases = tuple(map(_bias, self.logit_bias)) if self.logit_bias else None
        return {
            **Sampling.overrides(self),
            "logit_bias": biases,
            "grammar": _grammar(self.grammar, self.grammar_file),
        }


@contextmanager
def flags_refused() -> Iterator[None]:
    """Within this, what a chain refuses of the flags is a usage error."""
    try:
        yield
    except ChainError as error:
        if error.path is not None:  # not a flag's fault, but the profile's
            raise
        raise Refusal(error) from error


def _window(text: str | None) -> Window | None:
    match text:
        case None | "generation" | "context":
            return text
        case "-1":
            return "context"  # llama.cpp's spelling of it
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(
            f"--repeat-last-n is a number, generation or context, not {text}"
        ) from None


_NOT_A_BIAS = '--logit-bias is a token and a number, such as 15043=-2 or " Hello=-inf", not'


def _bias(text: str) -> tuple[int | str, float]:
    """ID=BIAS, TEXT=BIAS, or ID+BIAS and ID-BIAS as llama.cpp writes it."""
    token, equals, number = text.rpartition("=")
    if not equals:
        found = re.fullmatch(r"(\d+)([+-].+)", text)
        if found is None:
            raise typer.BadParameter(f"{_NOT_A_BIAS} {text}")
        token, number = found[1], found[2]
    try:
        bias = -math.inf if number == "false" else float(number)
    except ValueError:
        raise typer.BadParameter(f"{_NOT_A_BIAS} {text}") from None
    if token.isdecimal():
        return int(token), bias
    return _unquoted(token), bias


def _unquoted(text: str) -> str:
    """A text in JSON's quotes as what it stands for: digits, a line end."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def _grammar(text: str | None, file: Path | None) -> str | None:
    if file is None:
        return text
    if text is not None:
        raise typer.BadParameter("--grammar and --grammar-file exclude each other")
    from qwq_gguf.files.reading import read_given
    from qwq_gguf.sampling.gbnf import MAX_BYTES

    try:
        raw = read_given(file, MAX_BYTES)
        found = raw.decode()
    except OSError as error:
        raise typer.BadParameter(f"--grammar-file {file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"--grammar-file {file} is not UTF-8 text") from None
    if len(raw) > MAX_BYTES:
        raise typer.BadParameter(f"--grammar-file {file} is larger than {MAX_BYTES} bytes")
    if not found.strip():
        raise typer.BadParameter(f"--grammar-file {file} is empty")
    return found


def show_chain(resolved: Resolved, *, stderr: bool) -> None:
    """Print a chain: every stage in the order in which it sees the logits, and who decided it."""
    profile, origins = resolved.profile, resolved.origins
    show_table(
        ("", "stage", "setting", "value", "", "decided by"),
        [
            (
                place,
                stage,
                row.setting,
                row.value,
                "off" if row.off else "",
                origins.get(row.setting, ""),
            )
            for place, stage, row in chain_rows(profile)
        ],
        right="value",
        stderr=stderr,
    )
    note("\neach stage sees what the one above it left")
    note(f"order: {origins['order']}")
    note(f"profile {profile.name}: {resolved.reason}")
    show_notes(resolved)


def show_notes(resolved: Resolved) -> None:
    """Say what was left aside, and what silently does nothing."""
    for sentence in resolved.notes:
        note(f"note: {sentence}")


def chain_rows(profile: Profile) -> Iterator[tuple[str, str, ChainRow]]:
    """The rows of a chain with position and stage said once a stage."""
    last = 0
    for row in profile.chain.describe():
        said = row.position == last
        yield ("", "", row) if said else (str(row.position), row.stage, row)
        last = row.position
