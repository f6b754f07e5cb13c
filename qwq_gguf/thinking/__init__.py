"""Whether a model thinks, telling its thought from its answer, ending one that goes on."""

from __future__ import annotations

from qwq_gguf.thinking.closing import closing_of
from qwq_gguf.thinking.form import (
    NO_THOUGHT,
    Switch,
    ThoughtForm,
    ThoughtStart,
    thought_start,
)
from qwq_gguf.thinking.governor import Governor
from qwq_gguf.thinking.reading import form_of, read_form
from qwq_gguf.thinking.splitter import Phase, Split, ThoughtSplitter, WasThought
from qwq_gguf.thinking.tags import KNOWN_TAGS, ThinkingTags
from qwq_gguf.thinking.thoughts import Thoughts

__all__ = [
    "KNOWN_TAGS",
    "NO_THOUGHT",
    "Governor",
    "Phase",
    "Split",
    "Switch",
    "ThinkingTags",
    "ThoughtForm",
    "ThoughtSplitter",
    "ThoughtStart",
    "Thoughts",
    "WasThought",
    "closing_of",
    "form_of",
    "read_form",
    "thought_start",
]
