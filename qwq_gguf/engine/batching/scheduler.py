"""Who is in the next batch, who waits, who has to give way: decided on integers alone.

- Texts are served by age: the older of two that want the same thing gets it. So each one is
  the oldest some time, and ends.
- In every step all that wait for their next token only (`pending` 1) get it. Prompts have what
  is left: half of it the oldest, so that a long one comes to its end, the rest the shortest,
  so that nobody waits for a long one.
- One KV cache is shared by all. When it is full, what ended texts have left in it goes first,
  then the youngest text: it gives up its cells and its turn, and is computed anew later. What
  it has written stays as it is.
- A text begins in the cells of another that begins with the same tokens, ended or not. One
  whose beginning is being computed for another at this moment waits for that.
- Where one text has spoilt the cache, all are computed again, and alone, which shows who it was.
- A text that nobody reads keeps its turn for a while only, if others wait for one.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence

from qwq_gguf.engine.batching.limits import Limits
from qwq_gguf.engine.batching.seats import Seats
from qwq_gguf.engine.batching.text import Cut, Run, Step, Text, common

__all__ = ["Scheduler"]

# Plans without a reader until a text gives up its turn to one that waits.
_PATIENCE = 32
# Tokens that a shared beginning has to have more than another, to be waited for.
_WORTH_WAITING = 32
# Tokens that each text should be able to write before the cache is full.
_HEADROOM = 256


class Scheduler:
    """Ask it for a `plan`, do that, say that it is `done`, and `write` the tokens picked."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._seats = Seats(limits.seats, limits.cells, cuttable=limits.cuttable)
        self._running: list[Text] = []  # both are kept in the order of age
        self._waiting: list[Text] = []
        self._joined = 0

    @property
    def running(self) -> tuple[Text, ...]:
        """The texts in the making, the oldest first."""
        return tuple(self._running)

    @property
    def waiting(self) -> tuple[Text, ...]:
        """Those that wait for their turn, the oldest first."""
        return tuple(self._waiting)

    @property
    def used_cells(self) -> int:
        """Cells of the cache that are taken."""
        return self._seats.used

    @property
    def new_tokens(self) -> int:
        """Tokens that texts would begin with in the next step; 0 where others are read already, or
        where there is no place for one more.
        """
        new = [text for text in self._waiting if text.ready]
        running = len(self._running)
        if len(new) + running >= self._limits.running or any(t.ready for t in self._running):
            return 0
        return sum(len(t.tokens) - self._seats.beginning_of(t.tokens)[1] for t in new)

    def join(self, tokens: list[int]) -> Text:
        """A new text that begins with these, fewer than there are cells. It waits for its turn."""
        text = Text(self._joined, tokens)
        self._joined += 1
        self._waiting.append(text)
        return text

    def leave(self, text: Text, *, keep: bool = True) -> list[Cut]:
        """The text has ended, in whatever state; its cells may serve others, unless not kept."""
        if text.seat is None:
            if text in self._waiting:
                self._waiting.remove(text)
            return []
        seat = self._release(text)
        return [] if keep else self._seats.cut(seat, 0)

    def write(self, text: Text, token: int) -> None:
        """This was picked after all of the text was computed."""
        text.suspect = False
        text.tokens.append(token)

    def plan(self) -> Step:
        """What comes next; no runs when nobody can go on. Its moves count as done."""
        step = Step()
        self._park()
        alone = self._alone(step)
        if alone is not None:
            self._hand_out(step, [alone])
        if not step.runs:
            self._admit(step)
            self._hand_out(step, self._running)
        return step

    def done(self, runs: Iterable[Run]) -> None:
        """These were computed."""
        for run in runs:
            if run.text.seat == run.seat:
                self._seats.extend(run.text, run.size)

    def give_way(self) -> list[Cut] | None:
        """There was less room than counted: make some. None where only one text is left."""
        cuts = self._seats.clear_stored()
        if cuts:
            return cuts
        if len(self._running) < 2:
            return None
        return self._preempt(self._running[-1])

    def forget(self) -> list[Cut]:
        """Give up what ended texts have left."""
        return self._seats.clear_stored()

    def restart(self, *, suspect: bool) -> None:
        """The cache was emptied: all texts are to be computed anew, each alone if suspect."""
        for text in self.running:
            text.suspect = text.suspect or suspect
            self._release(text)
            self._wait(text)
        self._seats.clear()

    # ------------------------------------------------------------ who has a turn

    def _park(self) -> None:
        """Texts that nobody reads give up their turns to those who wait; their cells stay."""
        for text in self._running:
            text.idle = 0 if text.ready or text.pending > 1 else text.idle + 1
        waiting = sum(text.ready for text in self._waiting)
        waiting -= self._limits.running - len(self._running)
        if waiting <= 0:
            return
        for text in sorted(self._running, key=_idle)[:waiting]:
            if text.idle > _PATIENCE:
                self._release(text)
                self._wait(text)

    def _alone(self, step: Step) -> Text | None:
        """The suspect whose turn it is, if it can have one."""
        suspects = (t for t in (*self._running, *self._waiting) if t.suspect and t.ready)
        text = min(suspects, key=_age, default=None)
        if text is not None and text.seat is None:
            if self._running and not self._fits(text, None, 0):
                return None
            if len(self._running) >= self._limits.running:
                return None
            self._seat(step, text, None, 0)
        return text

    def _admit(self, step: Step) -> None:
        for text in self.waiting:
            if len(self._running) >= self._limits.running:
                return
            if not text.ready:
                continue
            source, shared = self._seats.beginning_of(text.tokens)
            if self._is_being_made(text, shared):
                continue
            if self._running and not self._fits(text, source, shared):
                return  # those behind it would take what it waits for
            self._seat(step, text, source, shared)

    def _is_being_made(self, text: Text, shared: int) -> bool:
        return self._limits.cuttable and any(
            other.tokens[0] == text.tokens[0]
            and min(len(text.tokens), len(other.tokens)) > shared + _WORTH_WAITING
            and (alike := common(other.tokens, text.tokens)) > other.computed
            and alike > shared + _WORTH_WAITING
            for other in self._running
            if other.pending > 1
        )

    def _fits(self, text: Text, source: int | None, shared: int) -> bool:
        limits = self._limits
        owed = sum(other.pending for other in self._running)
        headroom = min(_HEADROOM, limits.cells // (4 * limits.running)) * (len(self._running) + 1)
        free = self._seats.free_without(source)
        return len(text.tokens) - shared + owed + headroom <= free

    def _seat(self, step: Step, text: Text, source: int | None, shared: int) -> None:
        self._waiting.remove(text)
        step.moves += self._seats.take(text, source, shared)
        insort(self._running, text, key=_age)

    # ------------------------------------------------------------ who gets what

    def _hand_out(self, step: Step, texts: Sequence[Text]) -> None:
        wanted = self._wanted(texts)
        for text in sorted(wanted, key=_age):
            if text.seat is None:  # it has had to give way to an older one
                continue
            self._make_room(step, text, wanted[text])
            size = min(wanted[text], self._seats.free - step.tokens)
            if size > 0:
                last = size == text.pending
                step.add(Run(text, text.seat, text.computed, size, last))

    def _wanted(self, texts: Sequence[Text]) -> dict[Text, int]:
        """The tokens that each of these may have in this step, as if cells were free."""
        wanted = {text: 1 for text in texts if text.pending == 1 and text.ready}
        left = self._limits.batch - len(wanted)
        if wanted:
            chunk = self._limits.chunk
            left = min(left, max(chunk - len(wanted), -(-chunk // 2)))
        # Nobody reads it: its last token is computed when its next one is asked for.
        open_ = {text: text.pending - (not text.ready) for text in texts}
        prompts = [text for text in texts if text.pending > 1 and open_[text]]
        if not prompts or left < 1:
            return wanted
        oldest, *others = prompts
        wanted[oldest] = min(open_[oldest], -(-left // 2))
        left -= wanted[oldest]
        for text in sorted(others, key=open_.__getitem__):
            if left:
                wanted[text] = min(open_[text], left)
                left -= wanted[text]
        wanted[oldest] += min(left, open_[oldest] - wanted[oldest])
        return wanted

    def _make_room(self, step: Step, text: Text, count: int) -> None:
        """Have so many cells, if only what is stored has to go; one at least, whoever has to."""
        while (free := self._seats.free - step.tokens) < count:
            if cuts := self._seats.clear_oldest():
                step.moves += cuts
            elif free < 1 and self._running[-1] is not text:
                step.moves += self._preempt(self._running[-1])
            else:
                return

    def _preempt(self, text: Text) -> list[Cut]:
        seat = self._release(text)
        self._wait(text)
        return self._seats.cut(seat, 0)

    def _release(self, text: Text) -> int:
        self._running.remove(text)
        return self._seats.release(text)

    def _wait(self, text: Text) -> None:
        insort(self._waiting, text, key=_age)


def _age(text: Text) -> int:
    return text.order


def _idle(text: Text) -> int:
    return -text.idle
