"""What opens and closes a thought, as data.

Most models write a tag on either side. Some write a reply as several messages, each for a
channel (`Channels`), one of which is the thought. A new family of either kind is a value,
here or in the `[thinking]` table of a profile, and no code.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from qwq_gguf.errors import ProfileError

__all__ = ["KNOWN_TAGS", "Channels", "ThinkingTags"]

_MAX_TEXT = 256
_MOST_CLOSES = 8


@dataclass(frozen=True, slots=True)
class Channels:
    """A reply as messages, as in OpenAI's harmony format
    (https://cookbook.openai.com/articles/openai-harmony):

        START assistant to=functions.NAME CHANNEL commentary MESSAGE {"x": 1} END

    `start`, `channel`, `message` and `end` are the marks between the words, `ends` others that
    end a message and the turn with it. A generation prompt leaves a reply behind `start` and
    `role`. `thought` names the channels of thoughts, the usual one first, and `answer` that of
    the answer; what is on any other channel is for the user, too. A message with a recipient
    is a call, of the function whose name follows `tools` in it.
    """

    start: str = "<|start|>"
    channel: str = "<|channel|>"
    message: str = "<|message|>"
    end: str = "<|end|>"
    ends: tuple[str, ...] = ("<|call|>", "<|return|>")
    role: str = "assistant"
    thought: tuple[str, ...] = ("analysis",)
    answer: str = "final"
    tools: str = "functions."

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            texts = value if isinstance(value, tuple) else (value,)
            if len(texts) > _MOST_CLOSES or not all(0 < len(text) <= _MAX_TEXT for text in texts):
                raise ProfileError(
                    f"thinking: channels.{field.name} must be a short text", found=value
                )
        if not self.thought:
            raise ProfileError("thinking: channels.thought names no channel")
        if len(set(self.marks)) < len(self.marks):
            raise ProfileError("thinking: the marks of channels must differ", found=self.marks)

    @property
    def marks(self) -> tuple[str, ...]:
        """All texts that are no words of a message."""
        return (self.start, self.channel, self.message, self.end, *self.ends)

    def opening(self, channel: str) -> str:
        """What begins a message on this channel, behind the role."""
        return f"{self.channel}{channel}{self.message}"

    @property
    def next_message(self) -> str:
        """What ends a message and begins another one, whatever its channel."""
        return f"{self.end}{self.start}{self.role}"

    @property
    def next_answer(self) -> str:
        """What ends a message and begins the answer."""
        return f"{self.next_message}{self.opening(self.answer)}"


@dataclass(frozen=True, slots=True)
class ThinkingTags:
    """What opens and closes a thought. ProfileError for texts that could not do that.

    A tag may be one token, several, or spelled with ordinary ones. `also` are further texts
    that close a thought. With `channels`, `open` begins a message that is a thought and
    `close` ends any message: make them with `in_channels`.
    """

    open: str = "<think>"
    close: str = "</think>"
    also: tuple[str, ...] = ()
    channels: Channels | None = None

    def __post_init__(self) -> None:
        for name, text in (("open", self.open), ("close", self.close)):
            if not text or len(text) > _MAX_TEXT:
                raise ProfileError(f"thinking: the {name} tag must be a short text", found=text)
        if len(self.also) > _MOST_CLOSES or not all(0 < len(t) <= _MAX_TEXT for t in self.also):
            raise ProfileError("thinking: also must be a few short texts", found=self.also)
        if self.open in self.closes:
            raise ProfileError("thinking: the two tags must differ", found=self.open)

    @classmethod
    def in_channels(cls, channels: Channels) -> ThinkingTags:
        """Thoughts in a channel of their own."""
        return cls(channels.opening(channels.thought[0]), channels.end, channels=channels)

    @property
    def closes(self) -> tuple[str, ...]:
        """All texts that close a thought, the usual one first."""
        return (self.close, *self.also)

    @property
    def closing_text(self) -> str:
        """What closes an open thought so that the answer follows."""
        return self.close if self.channels is None else self.channels.next_answer

    @property
    def no_thought(self) -> str:
        """What stands in a thought's place at the beginning of a reply without one."""
        if self.channels is not None:
            return self.channels.opening(self.channels.answer)
        return f"{self.open}\n\n{self.close}\n\n"

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts that a vocabulary may have a token for."""
        tags = (self.open, *self.closes)
        return tags if self.channels is None else self.channels.marks

    def describe(self) -> str:
        """The two tags, for a person."""
        return f"{self.open} ... {' or '.join(self.closes)}"


# What published templates write, the commonest first.
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
    ThinkingTags.in_channels(Channels()),  # gpt-oss
)
