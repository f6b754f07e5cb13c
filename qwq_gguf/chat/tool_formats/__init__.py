"""The ways in which models write tool calls, and which of them a model has."""

from __future__ import annotations

from qwq_gguf.chat.tool_formats.format import (
    MAX_CALL_CHARS,
    MAX_CALLS,
    ParsedAnswer,
    ToolFormat,
)
from qwq_gguf.chat.tool_formats.reading import ToolUse, read_tool_use
from qwq_gguf.chat.tool_formats.table import (
    DEEPSEEK,
    FORMATS,
    GEMMA,
    GLM,
    HERMES,
    LLAMA,
    MISTRAL,
    NEMOTRON,
    QWEN_XML,
    SEED,
)
from qwq_gguf.chat.tool_formats.writing import CallForm

__all__ = [
    "DEEPSEEK",
    "FORMATS",
    "GEMMA",
    "GLM",
    "HERMES",
    "LLAMA",
    "MAX_CALLS",
    "MAX_CALL_CHARS",
    "MISTRAL",
    "NEMOTRON",
    "QWEN_XML",
    "SEED",
    "ParsedAnswer",
    "CallForm",
    "ToolFormat",
    "ToolUse",
    "read_tool_use",
]
