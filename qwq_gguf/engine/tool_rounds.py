"""The tools of one turn: they run, and the model reads what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from qwq_gguf.chat.events import Note, Response, ToolCallStarted, ToolResult
from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.rounds import Rounds
from qwq_gguf.tools.base import Tool
from qwq_gguf.tools.calling import call_tool

__all__ = ["ToolRounds"]


class ToolRounds(Rounds):
    """`Rounds` with tools by their names, that are run."""

    def __init__(self, tools: Mapping[str, Tool], most: int, cancelled: Callable[[], bool]) -> None:
        """There are at most `most` rounds. Once `cancelled` says True the running tool is ended,
        if it can be, and no other begins.
        """
        super().__init__(most)
        self._tools = tools
        self._cancelled = cancelled

    def run(
        self, response: Response, turn: list[Message]
    ) -> Iterator[ToolCallStarted | ToolResult | Note]:
        """Run the calls of a round and let the model read results and errors."""
        results = []
        for call in response.calls:
            if self._cancelled():
                return
            yield ToolCallStarted(call)
            result = call_tool(self._tools, call, self._cancelled)
            yield result
            results.append((call, result.content))
            turn.append(Message("tool", result.content, name=call.name))
        for error in response.unread:
            yield Note(f"a tool call could not be read: {error}")
            turn.append(Message("tool", f"error: {error}"))
        self.add(results, response.unread)
