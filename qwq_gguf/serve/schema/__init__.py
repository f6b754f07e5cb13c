"""JSON schemas as grammars, and calls of tools as grammars."""

from __future__ import annotations

from qwq_gguf.serve.schema.calls import calls_grammar
from qwq_gguf.serve.schema.channel_calls import channel_calls_grammar
from qwq_gguf.serve.schema.compiling import ANY_OBJECT, grammar_of

__all__ = ["ANY_OBJECT", "calls_grammar", "channel_calls_grammar", "grammar_of"]
