"""A product with and without the calculator, by the demo model: tokens, seconds, who is right."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import qwq_gguf
from qwq_gguf.chat.events import Reply
from qwq_gguf.tools import Calculator, Tool

PAGE = Path(__file__).resolve().parents[2] / "docs" / "thinking.md"
BEGIN = "<!-- measured: ./scripts/measure_tools writes what follows -->"
END = "<!-- measured ends -->"
QUESTION, RIGHT = "What is 3394*35979?", "122112726"
SEEDS = 40


@dataclass(frozen=True, slots=True)
class Row:
    """Replies of one kind, all of them together."""

    name: str
    right: int
    tokens: float
    seconds: float


def ask(model: qwq_gguf.Model, name: str, tools: Sequence[Tool]) -> Row:
    """The question with each seed, each in a conversation of its own."""
    replies: list[Reply] = []
    seconds: list[float] = []
    for seed in range(SEEDS):
        chat = model.chat(tools=tools, seed=seed)
        began = time.perf_counter()
        replies.append(chat.ask(QUESTION))
        seconds.append(time.perf_counter() - began)
        chat.close()
    return Row(
        name,
        sum(RIGHT in reply.answer.replace(",", "") for reply in replies),
        statistics.median(reply.thinking_tokens + reply.answer_tokens for reply in replies),
        statistics.median(seconds),
    )


def table(rows: Sequence[Row]) -> str:
    """As Markdown."""
    lines = ["| | right | tokens | seconds |", "|---|--:|--:|--:|"]
    lines += [
        f"| {row.name} | {row.right} of {SEEDS} | {row.tokens:.0f} | {row.seconds:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write the page."""
    with qwq_gguf.load("demo") as model:
        model.ask("What is 1+1?", seed=0)  # what the first one warms up
        rows = [ask(model, "without", ()), ask(model, "with the calculator", [Calculator()])]
    print(table(rows))
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(rows)}\n\n{END}{after}")


if __name__ == "__main__":
    main()
