"""Cut a stream of messages, each for a channel, into thought, answer and calls.

See `qwq_gguf.thinking.tags.Channels` for the format. Rules, in the order they decide:

1. A token that *is* a mark is that mark, wherever it stands. Text that only spells one is
   text, unless the vocabulary has no such token, or a grammar has the marks in it (`spelled`):
   then it is a mark wherever the grammar allows no such text, outside of calls and answers.
2. What stands before a `message` mark is a header: the channel is the word behind the last
   `channel` mark, the recipient what follows `to=`, before that mark or behind the word.
3. A message to a recipient is a call, whatever its channel. One on a thought's channel is
   thought, any other is answer: gpt-oss tells the user on `commentary` what it is going to do.
4. A model that has forgotten a mark is understood: a message that begins ends the one before,
   and words that cannot be a header are the answer.

Several thoughts are one, with an empty line between them; so are several answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from qwq_gguf.thinking.form import ThoughtStart
from qwq_gguf.thinking.splits import Called, Phase, Split
from qwq_gguf.thinking.tags import Channels

__all__ = ["ChannelSplitter"]

_RECIPIENT = re.compile(r"\bto=([^\s<]{1,256})")
_NAME = re.compile(r"\s*([\w.-]*)")
# A header longer than that is none.
_MAX_HEADER = 512


class ChannelSplitter:
    """Feed it pieces, read `Split`s and `Called`s; `finish()` hands over what it held back.

    `start` says where the prompt left the reply: in a thought, in the answer, or before a
    header. `token_id` finds the token that is a mark, if there is one. `spelled`: a grammar writes
    the marks, which a model may then spell.
    """

    def __init__(
        self,
        channels: Channels,
        *,
        start: ThoughtStart,
        token_id: Callable[[str], int | None] = lambda text: None,
        spelled: bool = False,
    ) -> None:
        self._channels = channels
        self._may_spell = spelled
        self.reopens = True  # any message may be a thought
        ids = {mark: token_id(mark) for mark in channels.marks}
        self._marks = {token: mark for mark, token in ids.items() if token is not None}
        self._spelled = tuple(mark for mark, token in ids.items() if token is None)
        self._held = ""  # text that may turn out to be a mark
        # Of the next message, with all that stands before its words; None within a message.
        self._header: str | None = f"{channels.start}{channels.role}"
        self._given = len(self._header)  # characters of it that the prompt has
        self._recipient: str | None = None  # of the message that is being written
        self._call: list[str] = []
        self._body = Phase.THINKING  # of the message that is being written
        self._texts = {Phase.THINKING: _Text(), Phase.ANSWER: _Text()}
        self._opened = self._closed = self._answered = False
        self._tokens = {Phase.THINKING: 0, Phase.ANSWER: 0}
        self._header_tokens = 0
        if start is not ThoughtStart.FREE:
            self._begin(Phase.THINKING if start is ThoughtStart.OPENED else Phase.ANSWER)

    @property
    def phase(self) -> Phase:
        """What the next text belongs to; before any answer, a header counts as thought."""
        if self._header is None:
            return self._body
        return Phase.ANSWER if self._answered else Phase.THINKING

    @property
    def opened(self) -> bool:
        """Whether there was a thought at all."""
        return self._opened

    @property
    def closed(self) -> bool:
        """Whether a thought was ended by the model."""
        return self._closed

    @property
    def undecided(self) -> bool:
        """Never: a channel says what its text is before there is any."""
        return False

    @property
    def between(self) -> bool:
        """Whether a header is being written: words would be none here, but part of it."""
        return self._header is not None

    @property
    def calling(self) -> bool:
        """Whether a call is being written: the turn may end with it."""
        return self._recipient is not None

    @property
    def closing_text(self) -> str:
        """What to force so that the answer follows, wherever the reply is."""
        channels = self._channels
        if self._header is None:
            return channels.next_answer
        answer = f"{channels.start}{channels.role}{channels.opening(channels.answer)}"
        if answer.startswith(self._header):
            return answer[len(self._header) :]
        # Another message has begun: let it end at once.
        return f"{channels.message}{channels.next_answer}"

    @property
    def thinking_tokens(self) -> int:
        """Tokens fed while inside a thought, its marks included."""
        return self._tokens[Phase.THINKING]

    @property
    def answer_tokens(self) -> int:
        """All other tokens fed."""
        return self._tokens[Phase.ANSWER] + self._header_tokens

    def feed(self, text: str, token: int | None = None) -> list[Split | Called]:
        """Take the text of one more token (of several, or of a part, without `token`)."""
        out: list[Split | Called] = []
        before, in_header = self._body, self._header is not None
        mark = None if token is None else self._marks.get(token)
        if mark is None:
            self._take_text(text, out)
        else:  # the piece may begin with the rest of a broken character
            self._take_words(self._held + text.removesuffix(mark), out)
            self._held = ""
            self._take_mark(mark, out)
        if token is not None:
            self._count(before, in_header)
        return out

    def finish(self) -> list[Split | Called]:
        """The rest: text held back, and a call that the end of the turn ends."""
        out: list[Split | Called] = []
        self._take_words(self._held, out)
        self._held = ""
        self._end_call(out)
        return out

    def _count(self, before: Phase, in_header: bool) -> None:
        """A token belongs to the message that it is in, begins or ends."""
        if self._header is None:
            self._tokens[self._body] += 1 + self._header_tokens
            self._header_tokens = 0
        elif in_header:
            self._header_tokens += 1
        else:
            self._tokens[before] += 1

    def _take_text(self, text: str, out: list[Split | Called]) -> None:
        text = self._held + text
        self._held = ""
        while text:
            spelled = self._marks_in_text
            found = [(at, mark) for mark in spelled if (at := text.find(mark)) >= 0]
            if not found:
                keep = max((_overlap(text, mark) for mark in spelled), default=0)
                self._held = text[len(text) - keep :]
                self._take_words(text[: len(text) - keep], out)
                return
            at, mark = min(found)
            self._take_words(text[:at], out)
            self._take_mark(mark, out)
            text = text[at + len(mark) :]

    @property
    def _marks_in_text(self) -> tuple[str, ...]:
        """What is a mark also where it is spelled."""
        free = self._header is None and self._body is Phase.ANSWER
        return self._channels.marks if self._may_spell and not free else self._spelled

    def _take_mark(self, mark: str, out: list[Split | Called]) -> None:
        channels = self._channels
        if mark == channels.message:
            if self._header is not None:
                self._begin_message(self._header)
            return
        if self._header is None:
            self._end_message(out)
            self._header = ""
        if mark == channels.channel and len(self._header) < _MAX_HEADER:
            self._header += mark
        else:
            self._header, self._given = mark if mark == channels.start else "", 0

    def _take_words(self, text: str, out: list[Split | Called]) -> None:
        if not text:
            return
        if self._header is None:
            self._emit(text, out)
            return
        self._header += text
        if not self._may_be_header(self._header):
            words = self._header[self._given :]
            self._begin(Phase.ANSWER)
            self._emit(words, out)

    def _may_be_header(self, header: str) -> bool:
        channels = self._channels
        if len(header) > _MAX_HEADER:
            return False
        words = header.removeprefix(channels.start)
        if channels.channel in words or (words != header and not self._given):
            return "\n" not in words
        words = words.removeprefix(channels.role).strip()
        return words.startswith("to=") or "to=".startswith(words)

    def _begin_message(self, header: str) -> None:
        channels = self._channels
        _, marked, name = header.rpartition(channels.channel)
        found = _NAME.match(name)
        on = found[1] if marked and found else channels.answer
        to = _RECIPIENT.search(header)
        called = to is not None and to[1] != channels.role
        self._begin(Phase.THINKING if on in channels.thought and not called else Phase.ANSWER)
        if to is not None and called:
            self._recipient = to[1].removeprefix(channels.tools)

    def _begin(self, phase: Phase) -> None:
        self._header = None
        self._body = phase
        self._texts[phase].begin()
        self._opened |= phase is Phase.THINKING

    def _end_message(self, out: list[Split | Called]) -> None:
        self._end_call(out)
        if self._body is Phase.THINKING:
            self._closed = True

    def _end_call(self, out: list[Split | Called]) -> None:
        if self._recipient is not None and self._header is None:
            out.append(Called(self._recipient, "".join(self._call)))
        self._recipient = None
        self._call.clear()

    def _emit(self, text: str, out: list[Split | Called]) -> None:
        if self._recipient is not None:
            self._call.append(text)
        elif shown := self._texts[self._body].take(text):
            self._answered |= self._body is Phase.ANSWER
            out.append(Split(self._body, shown))


class _Text:
    """The text of all messages of one kind, without white space at the edges of any."""

    def __init__(self) -> None:
        self._any = self._begun = False
        self._space = ""

    def begin(self) -> None:
        """Another message."""
        self._begun, self._space = False, ""

    def take(self, text: str) -> str:
        """What of it may be shown now."""
        text = self._space + text
        body = text.rstrip()
        self._space = text[len(body) :]
        if not body:
            return ""
        if not self._begun:
            content = body.lstrip()
            body = body[: len(body) - len(content)].rpartition("\n")[2] + content
            if self._any:
                body = f"\n\n{body}"
            self._any = self._begun = True
        return body


def _overlap(text: str, mark: str) -> int:
    """Length of the longest end of `text` that `mark` begins with."""
    for size in range(min(len(mark) - 1, len(text)), 0, -1):
        if text.endswith(mark[:size]):
            return size
    return 0
