"""The tokens that close a thought, of one model."""

from __future__ import annotations

from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING

from qwq_gguf.chat.events import ThoughtEnded
from qwq_gguf.engine.marks import marked_tokens
from qwq_gguf.thinking import Governor, ThinkingTags

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.engine.replies.steered import Steered
    from qwq_gguf.engine.replies.stream import ReplyStream

__all__ = ["OPENER", "Closing", "Closings", "why_closed"]

# What is put into the mouth of a model that says nothing.
OPENER = "Answer:"

_WORDS_SHARE = 4  # last words take at most this part of a reply


class Closing:
    """What is said to close a thought: the `tag`, `bare` on a line of its own, or as it is to be
    `said`, with last words.

    `token` is the one that closes it by itself, or begins to and means nothing else; None
    where the closing is spelled with ordinary tokens.
    """

    def __init__(
        self, model: Model, tags: ThinkingTags, governor: Governor, room: int, text: str
    ) -> None:
        """By a `text`, control tokens spelled out, in a reply with `room` for so many tokens."""
        self._model = model
        self._tags = tags
        self.tag = tag = marked_tokens(model, text)
        self.token = tag[0] if tag[0] in model.control_tokens.values() else None
        bare, said = [*self.encode("\n"), *tag], [*self.encode(governor.last_words), *tag]
        self.bare = bare if len(bare) * _WORDS_SHARE <= room else tag
        self.said = said if len(said) * _WORDS_SHARE <= room else self.bare

    def encode(self, text: str) -> list[int]:
        """The tokens of plain text."""
        return list(self._model.vocabulary.encode_text(text))

    @cached_property
    def opener(self) -> list[int]:
        """The first word of an answer."""
        return self.encode(OPENER)

    @cached_property
    def openings(self) -> frozenset[int]:
        """Tokens with which the opening tag may begin where it is spelled."""
        alone, behind = self.encode(self._tags.open), self.encode("\n" + self._tags.open)
        return frozenset((*alone[:1], *behind[1:2]))


class Closings:
    """How the thoughts of one reply, with `room` for so many tokens, can be closed."""

    def __init__(self, model: Model, tags: ThinkingTags, governor: Governor, room: int) -> None:
        self._made = lru_cache(partial(Closing, model, tags, governor, room))
        self._channels = tags.channels

    def by(self, text: str) -> Closing:
        """The one that has this text."""
        return self._made(text)

    def taken(self, stream: ReplyStream, generation: Steered, *, again: bool) -> list[int] | None:
        """What closes the open thought and is of the grammar of the whole reply, which may want
        another thing than an answer behind it. None where it takes nothing such as yet.
        """
        if stream.between or stream.calling:
            return None
        texts = [stream.closing_text]
        if self._channels is not None:
            texts.append(self._channels.next_message)
        for closing in map(self.by, texts):
            for tokens in (closing.bare if again else closing.said, closing.tag):
                if generation.takes(tokens):
                    return tokens
        return None


def why_closed(reason: ThoughtEnded, governor: Governor) -> str | None:
    """What to tell the user of a thought that was closed for this reason; None for nothing."""
    match reason:
        case ThoughtEnded.BUDGET:
            budget = governor.budget
            return f"its budget of {budget:,} is used up" if budget else None
        case ThoughtEnded.TIME:
            return f"its {governor.seconds or 0:g} seconds are over"
        case ThoughtEnded.RESERVE:
            return "what room is left is the answer's"
        case ThoughtEnded.LOOP:
            return "it went in circles"
        case ThoughtEnded.STOP:
            return "the model ended its turn in it"
    return None
