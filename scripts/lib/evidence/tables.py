"""The tables: their cells, and the commands that ask for them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evidence.chains import FIRST, LAST, NO_PENALTY, Chain

__all__ = ["STEPS", "TABLES", "Subject", "Table", "command"]

STEPS = " Think step by step, and put the result into \\boxed{}."

# Chains that stand in docs/chains, beside those that come along.
_SHOWN = ("lm-studio", "ollama-before-0.32")
_OLLAMA = Chain(
    "ollama",
    "temperature 0.8 last: Ollama's defaults",
    ("top_k", "top_p", "min_p", "temperature", "dist"),
    {"top_p": 0.9, "min_p": 0.0, "temperature": 0.8},
)


@dataclass(frozen=True)
class Table:
    """One table. `words` say what each of its profiles, governors or recipes is; the first is
    what the others are compared with.
    """

    name: str
    question: str
    profiles: Mapping[str, str] = field(default_factory=lambda: {"qwq": "the profile `qwq`"})
    governors: Mapping[str, str] = field(default_factory=lambda: {"off": "none"})
    recipes: Mapping[str, str] = field(default_factory=dict)
    own: tuple[Chain, ...] = ()

    def words(self, model: str, profile: str, governor: str) -> str:
        """What a cell is called in the table."""
        if self.recipes:
            return next((w for r, w in self.recipes.items() if model.endswith(f"-{r}.gguf")), model)
        if len(self.governors) > 1:
            return self.governors.get(governor, governor)
        return self.profiles.get(profile, profile)


def _of(chains: Sequence[Chain]) -> dict[str, str]:
    return {chain.name: chain.words for chain in chains}


_PENALTIES = (
    Chain("no-penalty", "no penalty", NO_PENALTY),
    *(
        Chain(
            f"repeat-{value}-{place}-{window}",
            f"repeat {value} {place}, "
            + ("the last 64 tokens" if window == 64 else "the whole reply"),
            FIRST if place == "first" else LAST,
            {"repeat_penalty": value, "penalty_window": window},
        )
        for value in (1.1, 1.3)
        for place in ("last", "first")
        for window in (64, "generation")
    ),
)
_MIN_P = tuple(
    Chain(f"min-p-{value}", f"min_p {value:g}", NO_PENALTY, {"min_p": value})
    for value in (0.0, 0.01, 0.02, 0.05, 0.1)
)
_PRESENCE = (
    Chain("no-penalty", "presence 0", NO_PENALTY),
    *(
        Chain(
            f"presence-{value}-{place}",
            f"presence {value} {place} the truncation",
            LAST if place == "after" else FIRST,
            {"presence_penalty": value},
        )
        for place in ("after", "before")
        for value in (0.5, 1.0, 1.5)
    ),
)
_TEMPERATURES = tuple(
    Chain(f"temperature-{value}", f"temperature {value:g}", NO_PENALTY, {"temperature": value})
    for value in (0.6, 0.0, 0.2, 0.4, 0.8, 1.0)
)

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table(
            "chains",
            "What chains do that people run without knowing, and those that are advised.",
            {
                "qwen-reference": "no penalty, temperature first: `qwen-reference`",
                "qwq": "presence 1 last, temperature first: `qwq`",
                "qwen-llama-cpp": "no penalty, temperature last: `qwen-llama-cpp`",
                "unsloth": "dry 0.5, temperature last: `unsloth`",
                "llama-cpp": "temperature 0.8 last: llama.cpp's defaults",
                "lm-studio": "repeat 1.1 first, temperature 0.8: LM Studio's defaults",
                "ollama": _OLLAMA.words,
                "ollama-before-0.32": "repeat 1.1 first, temperature 0.8: Ollama's until 0.32.9",
            },
            own=(_OLLAMA,),
        ),
        Table(
            "penalties",
            "A repeat penalty: how strong, on which side of the truncation, looking back how far.",
            _of(_PENALTIES),
            own=_PENALTIES,
        ),
        Table("min_p", "How much of the tail min_p drops.", _of(_MIN_P), own=_MIN_P),
        Table(
            "presence",
            "A presence penalty: how strong, and on which side of the truncation.",
            _of(_PRESENCE),
            own=_PRESENCE,
        ),
        Table("temperatures", "The temperature.", _of(_TEMPERATURES), own=_TEMPERATURES),
        Table(
            "governor",
            "The stages of the governor, one by one, beside none and the default.",
            governors={
                "off": "none",
                "default": "the default",
                "wind_down=0.5": "default and wind_down 0.5",
                "hesitation_penalty=2": "default and hesitation_penalty 2",
                "hesitation_penalty=5": "default and hesitation_penalty 5",
                "margin=1": "default and margin 1",
                "budget=100": "default and a budget of 100 tokens",
            },
        ),
        Table(
            "quants",
            "Fewer bits.",
            recipes={
                "BF16": "BF16",
                "Q8_0": "Q8_0",
                "Q6_K": "Q6_K",
                "Q5_K_M": "Q5_K_M",
                "Q4_K_M": "Q4_K_M",
                "Q3_K_M": "Q3_K_M",
                "Q2_K": "Q2_K",
            },
        ),
    )
}


@dataclass(frozen=True)
class Subject:
    """Who is asked, and what.

    `recipes` are those that its file can be quantized to; the replies made at once share
    `context` tokens.
    """

    name: str
    file: Path
    suites: tuple[str, ...]
    limit: int
    tokens: int
    append: str | None = None
    recipes: tuple[str, ...] = ()
    context: int = 4096


def command(
    table: Table,
    subject: Subject,
    folder: Path,
    *,
    seed: int,
    samples: int = 1,
    parallel: int = 4,
    threads: int | None = None,
) -> list[str]:
    """What asks for a table; run again, it goes on. Profiles of `table.own` lie in `folder`."""
    models = [subject.file]
    if table.recipes:
        models = [made_path(subject, recipe, folder) for recipe in subject.recipes]
    own = {chain.name for chain in table.own}
    profiles = [
        str(folder / f"{name}.toml")
        if name in own
        else f"docs/chains/{name}.toml" if name in _SHOWN else name
        for name in table.profiles
    ]  # fmt: skip
    words = ["qwq-gguf", "eval", "thinking", *map(str, models)]
    for suite in subject.suites:
        words += ["--suite", suite]
    words += ["--limit", str(subject.limit), "--samples", str(samples), "--seed", str(seed)]
    words += ["--profile", ",".join(profiles), "--govern", ",".join(table.governors)]
    words += ["-n", str(subject.tokens), "-c", str(subject.context), "--parallel", str(parallel)]
    words += ["-t", str(threads)] if threads else []
    words += ["--append", subject.append] if subject.append else []
    return [*words, "--out", str(folder / f"{subject.name}-{table.name}.jsonl")]


def made_path(subject: Subject, recipe: str, folder: Path) -> Path:
    """Where a quant of the subject's lies: its own file under the name that it has, too."""
    if subject.file.name.endswith(f"-{recipe}.gguf"):
        return subject.file
    return folder / f"{subject.name}-{recipe}.gguf"
