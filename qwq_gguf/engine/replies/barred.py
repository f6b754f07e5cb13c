"""Which tokens may not come next in a reply, and for how long. What says so is `Governing`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qwq_gguf.chat.tool_formats import ToolFormat
    from qwq_gguf.engine.model import Model

__all__ = ["BarredCalls"]


class BarredCalls:
    """Tool calls in a reply that may make none.

    A mark of calls that is a token is no candidate at all. One that is spelled cannot be
    forbidden as a whole: the tokens that begin it are, until the answer has said something.
    """

    def __init__(self, model: Model, tool_format: ToolFormat) -> None:
        ids = {text: model.token_id(text) for text in (*tool_format.held, tool_format.close)}
        self._vocabulary = model.vocabulary
        self._marks = frozenset(token for token in ids.values() if token is not None)
        self._spelled = tuple(text for text, token in ids.items() if text and token is None)
        self.turned = 0
        """How often a call that is a message of its own was turned into an answer."""

    def tokens(self, *, silent: bool) -> frozenset[int]:
        """What may not come next; `silent`: in an answer that has said nothing yet."""
        return self._marks | self._vocabulary.beginning_tokens(self._spelled if silent else ())
