"""What becomes of a model's thoughts under a profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qwq_gguf.metadata import KeyValue
from qwq_gguf.profiles.auto import is_reasoner
from qwq_gguf.profiles.profile import Profile
from qwq_gguf.thinking import Thoughts, form_of

__all__ = ["thoughts_of"]


def thoughts_of(
    metadata: Mapping[str, KeyValue], profile: Profile, given: Mapping[str, Any] | None = None
) -> Thoughts:
    """By the chat template in a GGUF's keys; `given` are the user's own variables for it."""
    return Thoughts(
        form_of(metadata),
        profile.wants_thoughts,
        opens=profile.template.opens_thought,
        reasoner=is_reasoner(metadata),
        asked_tags=profile.thinking,
        given=given or {},
        history=profile.template.history,
        effort=profile.template.effort,
        budget=profile.governor.budget,
    )
