"""Draw what order does to real logits, stage by stage, and what each chain was measured to cost."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from measure_chains import CHAINS, MEASURED, MODEL, ROWS, make_model, profile_of

from qwq_gguf.cli.showing.chain_plot import COLOURS, new_figure, write_figure
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.logits_along import Position, positions
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.evaluation.suites.skills import suite
from qwq_gguf.jobs.comparing import quoted
from qwq_gguf.sampling import Dist, SamplerChain
from qwq_gguf.sampling.compare import Comparison, compare_chains
from qwq_gguf.sampling.reference import Situation, trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PROBLEMS = 40  # of each skill, along whose replies a telling place is looked for
ASKED = ("subtract", "letters", "compare")  # of products and sums the demo is too sure
MOST = 160  # tokens of each reply
SHOWN = 5  # tokens drawn apart; the rest are one grey piece
TAIL = 34  # characters of the reply that a title quotes
REST = "#d5d8dc"
PIECES = (*COLOURS, "#c4504f")
INK = "#30343b"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a reply and the question it replies to."""

    question: str
    before: str
    position: Position


def places(model: Model) -> Iterator[Place]:
    """Every place in the best-token replies to the first problems of the suites."""
    session = Session(model)
    profile = profile_of("qwq")
    for problem in chain.from_iterable(suite(name, limit=PROBLEMS, seed=0) for name in ASKED):
        asked = Conversation(model, profile, session=session)
        prompt = asked.prompt_tokens(problem.question)
        for position in positions(session, prompt, most=MOST):
            text = b"".join(map(model.piece, position.generated)).decode("utf-8", "replace")
            yield Place(problem.question, text, position)


def widest(model: Model, names: tuple[str, str], telling: Callable[[Comparison], bool]) -> Place:
    """Where two chains differ most, among the places that `telling` accepts."""
    chains = {name: profile_of(name).chain for name in names}
    first, second = names
    best: tuple[float, Place] | None = None
    for place in places(model):
        seen = Situation((), place.position.generated)
        found = compare_chains(chains, place.position.logits, seen)
        moved = sum(abs(row.chains[first] - row.chains[second]) for row in found.rows) / 2
        if telling(found) and (best is None or moved > best[0]):
            best = moved, place
    assert best is not None, "no telling place: look at more problems"
    return best[1]


def draw_stages(
    axes: Axes,
    chain: SamplerChain,
    place: Place,
    colours: dict[int, str],
    write: Callable[[int], str],
) -> None:
    """A bar a stage: what is left after it, the best tokens apart."""
    start = next(trace(SamplerChain((Dist(),)), place.position.logits))[1]
    seen = Situation((), place.position.generated)
    steps = [("the model", start)]
    steps += [
        (_named(chain, stage.name), left)
        for stage, left in trace(chain, place.position.logits, seen)
        if not stage.off and not isinstance(stage, Dist)
    ]
    for row, (_, left) in enumerate(steps):
        begun = 0.0
        probabilities = left.as_dict()
        for token, colour in colours.items():
            share = probabilities.pop(token, 0.0)
            axes.barh(row, share, left=begun, color=colour, height=0.72)
            if share > 0.055:
                axes.text(
                    begun + share / 2, row, f"{write(token)} {100 * share:.0f} %",
                    ha="center", va="center", color="white", fontsize=8, parse_math=False,
                )  # fmt: skip
            begun += share
        axes.barh(row, sum(probabilities.values()), left=begun, color=REST, height=0.72)
        axes.text(1.015, row, f"{len(left.ids):,}", ha="left", va="center", color=INK, fontsize=8.5)
    axes.text(1.015, -0.72, "kept", ha="left", va="center", color=INK, fontsize=8.5)
    axes.set_yticks(range(len(steps)), [name for name, _ in steps], color=INK)
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.invert_yaxis()
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)


def _named(chain: SamplerChain, stage: str) -> str:
    """A stage with the number that matters of it."""
    numbers = [
        f"{row.setting.replace('_penalty', '')} {row.value}"
        if stage == "penalties"
        else f"{stage} {row.value}"
        for row in chain.describe()
        if row.stage == stage and row.value not in ("0", "1", "generation")
    ]
    return numbers[0] if numbers else stage


def draw_orders(
    model: Model, path: Path, place: Place, panels: tuple[tuple[str, str], ...]
) -> None:
    """One place, a panel a chain."""
    chains = {name: profile_of(name).chain for name, _ in panels}
    seen = Situation((), place.position.generated)
    found = compare_chains(chains, place.position.logits, seen)
    # The tokens that the chains pick most, the model's favourites first.
    top = sorted(found.rows, key=lambda row: -max(row.model, *row.chains.values()))[:SHOWN]
    top.sort(key=lambda row: -row.model)
    colours = {row.token: colour for row, colour in zip(top, PIECES, strict=False)}
    rows = max(len(chain.order) for chain in chains.values())
    figure = new_figure(8.2, (0.5 + 0.36 * rows) * len(panels) + 0.5)
    for axes, (name, words) in zip(figure.subplots(len(panels), 1), panels, strict=True):
        draw_stages(axes, chains[name], place, colours, lambda token: _token(model, token))
        axes.set_title(words, loc="left", fontsize=10, color=INK, pad=12)
    asked = " ".join(place.before.split())
    tail = asked[-TAIL:]
    figure.suptitle(
        f"{place.question}   {'…' if len(asked) > TAIL else ''}{tail}▁",
        x=0.01, ha="left", fontsize=10.5, family="monospace", color=INK, parse_math=False,
    )  # fmt: skip
    write_figure(figure, path, force=True)
    print(f"{path}: {place.question!r} after {place.before[-80:]!r}")
    for row in found.rows[:6]:
        print("  ", _token(model, row.token), row.model, dict(row.chains))


def _token(model: Model, token: int) -> str:
    return quoted(model.piece(token).decode("utf-8", "replace"))


def draw_measured(path: Path) -> None:
    """Every measured chain: wrong answers to the right, longer thoughts upwards."""
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))["chains"]
    figure = new_figure(8.2, 0.36 * len(ROWS) + 1.0)
    wrong_axes, tokens_axes = figure.subplots(1, 2, sharey=True)
    names = [words.replace("*", "").replace("`", "") for _, words in ROWS]
    wrong = [measured[name]["samples"] - measured[name]["right"] for name, _ in ROWS]
    tokens = [measured[name]["thinking_tokens"]["mean"] for name, _ in ROWS]
    colours = [COLOURS[0] if name == "qwq" else "#9aa0a8" for name, _ in ROWS]
    samples = measured["qwq"]["samples"]
    for axes, values, title, form in (
        (wrong_axes, wrong, f"wrong answers of {samples:,}", "{:.0f}"),
        (tokens_axes, tokens, "mean thinking tokens", "{:.2f}"),
    ):
        bars = axes.barh(range(len(ROWS)), values, color=colours, height=0.66)
        axes.bar_label(bars, [form.format(v) for v in values], padding=3, fontsize=8.5, color=INK)
        axes.set_title(title, loc="left", fontsize=10, color=INK)
        axes.set_xlim(0, max(values) * 1.15)
        axes.set_xticks([])
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    wrong_axes.set_yticks(range(len(ROWS)), names, fontsize=8.5, color=INK)
    wrong_axes.invert_yaxis()
    write_figure(figure, path, force=True)
    print(path)


def main(folder: Path) -> None:
    """Draw everything into `folder`."""
    make_model()
    with Model.load(MODEL, threads=1) as model:
        (doubt,) = model.vocabulary.encode_text(" Wait")
        unsure = widest(
            model,
            ("qwen-reference", "qwen-llama-cpp"),
            lambda found: any(row.token == doubt for row in found.rows),
        )
        draw_orders(model, folder / "temperature.svg", unsure, (
            ("qwen-reference", "temperature first: top_p measures what the temperature left"),
            ("qwen-llama-cpp", "temperature last: top_p measures the raw distribution"),
        ))  # fmt: skip
        sure = widest(
            model,
            ("repeat-1.3-first", "repeat-1.3-last"),
            lambda found: max(row.model for row in found.rows) > 0.99,
        )
        draw_orders(model, folder / "penalty.svg", sure, (
            ("repeat-1.3-first", "penalty first: it decides what the truncation sees"),
            ("repeat-1.3-last", "penalty last: it chooses among what the model finds plausible"),
        ))  # fmt: skip
    draw_measured(folder / "measured.svg")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the pictures of docs/sampling.md.")
    parser.add_argument("folder", nargs="?", type=Path, default=CHAINS, help="where to")
    main(parser.parse_args().folder)
