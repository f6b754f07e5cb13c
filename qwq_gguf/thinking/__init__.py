"""Whether a model thinks, telling its thought from its answer, ending one that goes on."""

from __future__ import annotations

from qwq_gguf.thinking.bounds import Bounds, holds_thought
from qwq_gguf.thinking.channels import ChannelSplitter
from qwq_gguf.thinking.form import (
    EFFORTS,
    NO_THOUGHT,
    Switch,
    ThoughtForm,
    ThoughtStart,
    thought_start,
)
from qwq_gguf.thinking.governor import Governor
from qwq_gguf.thinking.hesitation import hesitation_tokens
from qwq_gguf.thinking.loops import Loop, LoopDetector, LoopSettings
from qwq_gguf.thinking.policy import NOTHING, Decision, Policy
from qwq_gguf.thinking.reading import form_of, read_form
from qwq_gguf.thinking.splits import (
    Called,
    Phase,
    Piece,
    Split,
    Splitter,
    WasThought,
)
from qwq_gguf.thinking.splitter import ThoughtSplitter
from qwq_gguf.thinking.tags import KNOWN_TAGS, Channels, ThinkingTags
from qwq_gguf.thinking.thoughts import History, Thoughts
from qwq_gguf.thinking.unsplit import Unsplit

__all__ = [
    "EFFORTS",
    "KNOWN_TAGS",
    "NOTHING",
    "NO_THOUGHT",
    "Bounds",
    "Decision",
    "Governor",
    "Loop",
    "LoopDetector",
    "LoopSettings",
    "Phase",
    "Policy",
    "Called",
    "ChannelSplitter",
    "Channels",
    "History",
    "Piece",
    "Split",
    "Splitter",
    "Switch",
    "ThinkingTags",
    "ThoughtForm",
    "ThoughtSplitter",
    "Unsplit",
    "ThoughtStart",
    "Thoughts",
    "WasThought",
    "form_of",
    "hesitation_tokens",
    "holds_thought",
    "read_form",
    "thought_start",
]
