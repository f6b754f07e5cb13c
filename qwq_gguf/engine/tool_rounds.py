"""The tools of one turn: they run, and the model reads what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from qwq_gguf.chat.events import Notice, Response, ToolCallStarted, ToolResult
from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.chat.rounds import Rounds
from qwq_gguf.chat.tool_arguments import ArgumentError, fitted
from qwq_gguf.errors import ToolError
from qwq_gguf.tools.base import Cancellable, Tool
from qwq_gguf.words import did_you_mean

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
    ) -> Iterator[ToolCallStarted | ToolResult | Notice]:
        """Run the calls of a round and let the model read results and errors."""
        results = []
        for call in response.calls:
            if self._cancelled():
                return
            yield ToolCallStarted(call)
            result = self._run(call)
            yield result
            results.append((call, result.content))
            turn.append(Message("tool", result.content, name=call.name))
        for error in response.unread:
            yield Notice(f"a tool call could not be read: {error}")
            turn.append(Message("tool", f"error: {error}"))
        self.add(results, response.unread)

    def _run(self, call: ToolCall) -> ToolResult:
        tool = self._tools.get(call.name)
        if tool is None:
            near = did_you_mean(call.name[:100], self._tools)
            known = near or f"there are: {', '.join(self._tools)}"
            message = f"error: there is no tool {call.name[:100]}; {known}"
            return ToolResult(call, message, failed=True)
        try:
            arguments = fitted(call.arguments, tool.spec.parameters)
            if isinstance(tool, Cancellable):
                return ToolResult(call, tool.run_until(arguments, self._cancelled))
            return ToolResult(call, tool.run(arguments))
        except ArgumentError as error:
            return ToolResult(call, f"error: {error}", failed=True)
        except ToolError as error:
            return ToolResult(call, f"error: {error.message}", failed=True)
        except Exception as error:  # a stranger's tool: its bug must not end the chat
            return ToolResult(call, f"error: the tool failed ({type(error).__name__})", failed=True)
