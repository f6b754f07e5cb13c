"""A chat in two panels, "Thinking process" and "Full reply", over an OpenAI-compatible server.

    qwq-gguf serve MODEL                      # prints the address
    python examples/two_panels.py             # asks for questions; an empty line ends it
    python examples/two_panels.py "What is 7*43?"

The address is read from OPENAI_BASE_URL, the key from OPENAI_API_KEY. Needs
`pip install openai rich`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text


@dataclass
class Reply:
    """What has come of a reply."""

    thought: str = ""
    answer: str = ""
    usage: str = ""

    def panels(self, rows: int | None = None) -> Group:
        """Both panels; of a thought that is longer than `rows` the end."""
        lines = self.thought.strip().splitlines()
        shown = lines if rows is None else lines[-rows:]
        thought = Panel(Text("\n".join(shown), style="dim"), title="Thinking process")
        if not self.answer:
            return Group(thought)
        return Group(thought, Panel(Text(self.answer.strip()), title="Full reply"))


class Chat:
    """A conversation with the one model of a server."""

    def __init__(self) -> None:
        self.client = OpenAI(
            base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1"),
            api_key=os.environ.get("OPENAI_API_KEY", "none"),
        )
        self.model = os.environ.get("MODEL") or next(iter(self.client.models.list())).id
        self.messages: list[ChatCompletionMessageParam] = []

    def ask(self, question: str) -> Iterator[Reply]:
        """The reply, again and again while it grows."""
        self.messages.append({"role": "user", "content": question})
        reply = Reply()
        for chunk in self.client.chat.completions.create(
            model=self.model,
            messages=self.messages,
            stream=True,
            stream_options={"include_usage": True},
        ):
            for choice in chunk.choices:
                reply.thought += getattr(choice.delta, "reasoning_content", None) or ""
                reply.answer += choice.delta.content or ""
            if chunk.usage is not None:
                used = chunk.usage
                details = used.completion_tokens_details
                thinking = (details.reasoning_tokens if details else None) or 0
                reply.usage = (
                    f"tokens: {used.prompt_tokens} prompt + {thinking} thinking "
                    f"+ {used.completion_tokens - thinking} reply = {used.total_tokens}"
                )
            yield reply
        # The thought is not part of the history: models are trained without it.
        self.messages.append({"role": "assistant", "content": reply.answer})


def show(console: Console, replies: Iterator[Reply]) -> None:
    """Draw a reply while it grows, then whole, then what it used."""
    reply = Reply()
    with Live(console=console, transient=True, refresh_per_second=8) as live:
        for reply in replies:
            live.update(reply.panels(rows=max(4, console.height // 2)))
    console.print(reply.panels())
    console.print(Text(reply.usage, style="dim"))


def main(question: str) -> None:
    """One question, or as many as are typed."""
    console = Console()
    chat = Chat()
    if question:
        show(console, chat.ask(question))
        return
    while asked := console.input("[bold]Question:[/bold] ").strip():
        show(console, chat.ask(asked))


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
