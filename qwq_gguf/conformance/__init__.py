"""What a running server applies, beside what a profile wants."""

from __future__ import annotations

from qwq_gguf.conformance.ask import ask_server
from qwq_gguf.conformance.compare import Applied, Row, Verdict, advice, compare
from qwq_gguf.conformance.reply import ask_for_replies

__all__ = [
    "Applied",
    "Row",
    "Verdict",
    "advice",
    "ask_for_replies",
    "ask_server",
    "compare",
]
