"""Cut a stream of text into thought and answer at the thinking tags.

Rules, in the order they decide:

1. A token that *is* a tag (its id is known) is that tag, wherever it stands, and so is one
   that begins an opening tag of several tokens, if the others follow.
2. Text that spells a tag is one too, as some models write it with ordinary tokens, and
   may be spread over any number of pieces. Where the ids are known only at the start of
   a line, so that a thought may mention `</think>` in passing. An opening tag counts
   only as the first thing in the reply; with `reopens`, in any answer: for tags that are no
   tokens, and where somebody keeps that token away.
3. A template often prefills the opening tag; then the text starts inside the thought,
   and an opening tag that the model repeats at once is dropped.
4. Where the prompt leaves the thought to the model (`may_be_open`), a model may begin to
   think without saying so. The first closing tag, if no thought was opened before it, then
   makes all text so far the thought. What was handed over as answer is taken back by a
   `WasThought`.

Blank lines after a tag and white space before one belong to the format, not to the text,
and are left out; so is white space at the very end. Nothing else is.
"""

from __future__ import annotations

from collections.abc import Mapping

from qwq_gguf.thinking.splits import Phase, Split, WasThought

__all__ = ["ThoughtSplitter"]


class ThoughtSplitter:
    """Feed it pieces, read `Split`s; `finish()` hands over what it held back.

    `open_id` and `close_id` are the token ids of the tags, None where a tag is no single
    token; `also` are further closing tags with theirs, and `lead_id` is the token that an
    opening tag of several begins with. `starts_inside` says that the prompt ended with the
    opening tag, `may_be_open` that it left the thought to a model that may begin one without
    a tag.
    """

    def __init__(
        self,
        open: str = "<think>",
        close: str = "</think>",
        *,
        starts_inside: bool,
        may_be_open: bool = False,
        open_id: int | None = None,
        close_id: int | None = None,
        lead_id: int | None = None,
        also: Mapping[str, int | None] | None = None,
    ) -> None:
        closes = {close: close_id, **(also or {})}
        if not open or not all(closes):
            raise ValueError("a thinking tag cannot be empty")
        self._open, self._close = open, close
        self._open_id, self._closes = open_id, closes
        #: Whether a spelled opening tag may begin another thought after the first.
        self.reopens = False
        self._lead_id = lead_id
        self._led: str | None = None  # text since a token that may begin the opening tag
        self._by_id = {token: text for text, token in closes.items() if token is not None}
        self._phase = Phase.THINKING if starts_inside else Phase.ANSWER
        self._opened = starts_inside
        self._closed = False
        self._undecided = may_be_open and not starts_inside
        self._begun = False  # anything but white space in this phase?
        self._space = ""  # white space that may turn out to be the end
        self._held = ""  # text that may turn out to be a tag
        self._line_blank = True  # only white space on this line so far
        self._tokens = {Phase.THINKING: 0, Phase.ANSWER: 0}

    @property
    def phase(self) -> Phase:
        """What the next text belongs to."""
        return self._phase

    @property
    def opened(self) -> bool:
        """Whether there was a thought at all."""
        return self._opened

    @property
    def closed(self) -> bool:
        """Whether a thought was ended by its closing tag."""
        return self._closed

    @property
    def undecided(self) -> bool:
        """Whether the answer so far may still turn out to be the thought."""
        return self._undecided

    @property
    def between(self) -> bool:
        """Never: all that is said is either thought or answer."""
        return False

    @property
    def calling(self) -> bool:
        """Never: calls are part of the text."""
        return False

    @property
    def closing_text(self) -> str:
        """What to force so that the answer follows."""
        return self._close

    @property
    def thinking_tokens(self) -> int:
        """Tokens fed while inside a thought, a generated tag included."""
        return self._tokens[Phase.THINKING]

    @property
    def answer_tokens(self) -> int:
        """All other tokens fed."""
        return self._tokens[Phase.ANSWER]

    def feed(self, text: str, token: int | None = None) -> list[Split | WasThought]:
        """Take the text of one more token (of several, or of a part, without `token`)."""
        before = self._phase
        closed = self._closed
        out: list[Split | WasThought] = []
        if token is not None and token in self._by_id and self._may_close():
            self._take_tag(text, self._by_id[token], out)
        elif token is not None and token == self._open_id and self._may_open():
            self._take_tag(text, self._open, out)
        elif self._led is not None or self._is_lead(token):
            self._follow_lead(text, out)
        else:
            self._take_text(text, out)
        if token is not None:
            inside = Phase.THINKING in (before, self._phase) or self._closed is not closed
            self._tokens[Phase.THINKING if inside else Phase.ANSWER] += 1
        return out

    def finish(self) -> list[Split | WasThought]:
        """The text held back as a possible tag, at the end of the stream."""
        out: list[Split | WasThought] = []
        self._emit(self._held + (self._led or ""), out)
        self._led = None
        self._held = self._space = ""
        self._undecided = False
        return out

    def _may_close(self) -> bool:
        return self._phase is Phase.THINKING or self._undecided

    def _may_open(self) -> bool:
        return self._phase is Phase.ANSWER or not self._begun

    def _is_lead(self, token: int | None) -> bool:
        return token is not None and token == self._lead_id and self._may_open()

    def _take_tag(self, text: str, tag: str, out: list[Split | WasThought]) -> None:
        """A tag known by its id; `text` may begin with the rest of a broken character."""
        lead = text.removesuffix(tag) if text.endswith(tag) else ""
        # What was held back as the beginning of a spelled tag was none: a tag follows.
        self._emit(self._held + (self._led or "") + lead, out)
        self._held, self._led = "", None
        self._switch(tag, out)

    def _follow_lead(self, text: str, out: list[Split | WasThought]) -> None:
        """Whether this is the opening tag is known when all of it could have come."""
        text = (self._led or "") + text
        self._led = None
        if text.startswith(self._open):
            self._take_tag(self._open, self._open, out)
            self._take_text(text[len(self._open) :], out)
        elif self._open.startswith(text):
            self._led = text
        else:
            self._take_text(text, out)

    def _take_text(self, text: str, out: list[Split | WasThought]) -> None:
        text = self._held + text
        self._held = ""
        while text:
            tags = self._wanted()
            found = min(
                ((at, tag) for tag in tags if (at := self._find(text, tag)) >= 0), default=None
            )
            if found is None:
                keep = max((self._partial(text, tag) for tag in tags), default=0)
                self._held = text[len(text) - keep :]
                self._emit(text[: len(text) - keep], out)
                return
            at, tag = found
            self._emit(text[:at], out)
            self._switch(tag, out)
            text = text[at + len(tag) :]

    def _wanted(self) -> tuple[str, ...]:
        """The tags that mean something here when spelled out."""
        closing = tuple(self._closes)
        if self._phase is Phase.THINKING:
            return closing if self._begun else (*closing, self._open)
        opening = () if self._begun or (self._opened and not self.reopens) else (self._open,)
        return (*opening, *closing) if self._undecided else opening

    def _find(self, text: str, tag: str) -> int:
        at = text.find(tag)
        while at >= 0 and not self._counts(text[:at], tag):
            at = text.find(tag, at + 1)
        return at

    def _partial(self, text: str, tag: str) -> int:
        """Length of the longest end of `text` that may become `tag`."""
        for size in range(min(len(tag) - 1, len(text)), 0, -1):
            if text.endswith(tag[:size]) and self._counts(text[: len(text) - size], tag):
                return size
        return 0

    def _counts(self, before: str, tag: str) -> bool:
        """Whether a tag spelled out after this text of the same phase is a tag."""
        if tag == self._open:
            return not before.strip()
        if self._closes[tag] is None:
            return True
        _, newline, line = before.rpartition("\n")
        return not line.strip() and (bool(newline) or self._line_blank)

    def _switch(self, tag: str, out: list[Split | WasThought]) -> None:
        if tag == self._open:
            self._phase, self._opened = Phase.THINKING, True
        else:
            if self._undecided:
                self._take_back(out)
            self._phase, self._closed = Phase.ANSWER, True
        self._undecided = False
        self._begun = False
        self._space = ""
        self._line_blank = True

    def _take_back(self, out: list[Split | WasThought]) -> None:
        """What looked like the answer was the thought."""
        self._opened = True
        if self._begun:
            out.append(WasThought())
        self._tokens[Phase.THINKING] += self._tokens[Phase.ANSWER]
        self._tokens[Phase.ANSWER] = 0

    def _emit(self, text: str, out: list[Split | WasThought]) -> None:
        if not text:
            return
        _, newline, line = text.rpartition("\n")
        self._line_blank = not line.strip() and (bool(newline) or self._line_blank)
        text = self._space + text
        body = text.rstrip()
        self._space = text[len(body) :]
        if not body:
            return
        if not self._begun:
            self._begun = True
            # Blank lines go, the indentation of the first real line stays.
            content = body.lstrip()
            body = body[: len(body) - len(content)].rpartition("\n")[2] + content
        out.append(Split(self._phase, body))
