"""The bodies that ask for no reply: of `/tokenize`, and of the end of a running thought."""

from __future__ import annotations

from qwq_gguf.serve.limits import LIMITS
from qwq_gguf.serve.reading.fields import Fields

__all__ = ["read_control", "read_tokenize"]

_MOST_CHARS = 1_000_000


def read_tokenize(fields: Fields) -> tuple[str | None, str]:
    """A model's name and a text, of `/tokenize`."""
    model = fields.text("model", most=LIMITS.name_chars)
    if (prompt := fields.text("prompt", most=_MOST_CHARS)) is not None:
        return model, prompt
    return model, fields.needed_text("content", most=_MOST_CHARS)


def read_control(fields: Fields) -> str:
    """The id of a reply that is to answer now, as llama-server has it."""
    name = fields.needed_text("id", most=100)
    fields.needed_choice("action", ("reasoning_end",))
    return name
