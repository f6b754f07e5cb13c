"""What opens and closes a thought, as data."""

from __future__ import annotations

from dataclasses import dataclass

from qwq_gguf.errors import ProfileError

__all__ = ["KNOWN_TAGS", "ThinkingTags"]

_MAX_TEXT = 256


@dataclass(frozen=True, slots=True)
class ThinkingTags:
    """What opens and closes a thought. ProfileError for texts that could not do that."""

    open: str = "<think>"
    close: str = "</think>"

    def __post_init__(self) -> None:
        for name in ("open", "close"):
            text = getattr(self, name)
            if not text or len(text) > _MAX_TEXT:
                raise ProfileError(f"thinking: the {name} tag must be a short text", found=text)
        if self.open == self.close:
            raise ProfileError("thinking: the two tags must differ", found=self.open)


# The tags that published templates write, the commonest first.
KNOWN_TAGS = (
    ThinkingTags(),  # Qwen, DeepSeek, GLM, and most others
    ThinkingTags("[THINK]", "[/THINK]"),  # Magistral, Ministral Reasoning
    ThinkingTags("<seed:think>", "</seed:think>"),  # Seed-OSS
    ThinkingTags("<thinking>", "</thinking>"),  # fine-tunes
    ThinkingTags("<thought>", "</thought>"),  # EXAONE Deep
    ThinkingTags("<mm:think>", "</mm:think>"),  # MiniMax-M3
    ThinkingTags("<think:opensource>", "</think:opensource>"),  # Hunyuan 3
    ThinkingTags("<|open|>think<|sep|>", "<|close|>think<|sep|>"),  # Kimi K3
    ThinkingTags("<|channel>thought", "<channel|>"),  # Gemma 4
    ThinkingTags("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A Reasoning
    ThinkingTags("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    ThinkingTags("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),  # Apriel
    ThinkingTags("<|begin_of_thought|>", "<|end_of_thought|>"),  # OpenThinker, Sky-T1
)
