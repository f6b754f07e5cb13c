"""Tokens to events: text, thought and answer, stops, tool calls, a thought's end."""

from __future__ import annotations

from qwq_gguf.engine.replies.driver import ReplyDriver
from qwq_gguf.engine.replies.governing import Governing
from qwq_gguf.engine.replies.steered import Steered
from qwq_gguf.engine.replies.stream import Delta, ReplyStream

__all__ = ["Delta", "Governing", "ReplyDriver", "ReplyStream", "Steered"]
