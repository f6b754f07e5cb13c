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
- A text that nobody reads keeps its turn for a while only, if others wait for one.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable

from qwq_gguf.engine.batching.cells import Cells
from qwq_gguf.engine.batching.limits import Limits
from qwq_gguf.engine.batching.text import Copy, Cut, Run, Step, Text, common

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
        self._cells = Cells(limits.seats)
        self._held: list[list[int]] = [[] for _ in range(limits.seats)]
        self._owners: list[Text | None] = [None] * limits.seats
        self._touched = [0] * limits.seats  # the plan that used a seat last
        self._running: list[Text] = []  # both are kept in the order of age
        self._waiting: list[Text] = []
        self._plans = 0
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
        return self._cells.used

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
        seat = text.seat
        self._release(text)
        return [] if keep else self._clear([seat])

    def write(self, text: Text, token: int) -> None:
        """This was picked after all of the text was computed."""
        text.tokens.append(token)

    def plan(self) -> Step:
        """What comes next; no runs when nobody can go on. Its moves count as done."""
        self._plans += 1
        step = Step()
        self._park()
        self._admit(step)
        wanted = self._wanted()
        for text in sorted(wanted, key=_age):
            if text.seat is None:  # it has had to give way to an older one
                continue
            self._make_room(step, text, wanted[text])
            planned = sum(run.size for run in step.runs)
            count = min(wanted[text], self._limits.cells - self._cells.used - planned)
            if count > 0:
                last = count == text.pending
                step.runs.append(Run(text, text.seat, text.computed, count, last))
                self._touched[text.seat] = self._plans
        return step

    def done(self, runs: Iterable[Run]) -> None:
        """These were computed."""
        for text, seat, first, size, _last in runs:
            if text.seat != seat:
                continue
            self._held[seat] += text.tokens[first : first + size]
            self._cells.extend(seat, size)
            text.computed += size

    def give_way(self) -> list[Cut] | None:
        """There was less room than counted: make some. None where only one text is left."""
        cuts = self._clear(self._stored())
        if cuts:
            return cuts
        if len(self._running) < 2:
            return None
        return self._preempt(self._running[-1])

    def forget(self) -> list[Cut]:
        """Give up what ended texts have left."""
        return self._clear(self._stored())

    def restart(self) -> None:
        """The cache was emptied: all texts are to be computed anew."""
        for text in self.running:
            self._release(text)
            self._wait(text)
        self._clear(range(self._limits.seats))

    # ------------------------------------------------------------ who has a turn

    def _park(self) -> None:
        """Texts that nobody reads give up their turns to those who wait; their cells stay."""
        for text in self._running:
            text.idle = 0 if text.ready or text.pending > 1 else text.idle + 1
        waiting = sum(text.ready for text in self._waiting)
        waiting -= self._limits.running - len(self._running)
        for text in sorted(self._running, key=_idle)[: max(0, waiting)]:
            if text.idle > _PATIENCE:
                self._release(text)
                self._wait(text)

    def _admit(self, step: Step) -> None:
        for text in self.waiting:
            if len(self._running) >= self._limits.running:
                return
            if not text.ready:
                continue
            source, shared = self._beginning(text)
            if self._is_being_made(text, shared):
                continue
            if self._running and not self._fits(text, source, shared):
                return  # those behind it would take what it waits for
            self._waiting.remove(text)
            self._seat(step, text, source, shared)

    def _beginning(self, text: Text) -> tuple[int | None, int]:
        """The seat that has most of the text's beginning, and how much: its last token is not."""
        best: int | None = None
        most = 0
        for seat, held in enumerate(self._held):
            if not held or held[0] != text.tokens[0]:
                continue
            alike = min(common(held, text.tokens), len(text.tokens) - 1)
            if alike < len(held) and not self._limits.cuttable:
                continue
            if alike > most:
                best, most = seat, alike
        return best, most

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
        stored = [seat for seat in self._stored() if seat != source]
        free = limits.cells - self._cells.used + sum(map(self._cells.freed_without, stored))
        return len(text.tokens) - shared + owed + headroom <= free

    def _seat(self, step: Step, text: Text, source: int | None, shared: int) -> None:
        stored = self._stored()
        if source in stored and 2 * shared >= len(self._held[source]):
            seat = source
        else:
            # Another than the source, an empty one or that which was of no use for longest.
            seat = min(stored, key=lambda s: (s == source, bool(self._held[s]), self._touched[s]))
        if source is None or seat == source:
            step.moves += self._cut(seat, shared)
        else:
            step.moves += self._cut(seat, 0)
            step.moves.append(Copy(source, seat, shared))
            self._cells.copy(source, seat, shared)
            self._held[seat] = self._held[source][:shared]
        if not text.begun:
            text.reused = shared
        text.begun = True
        text.seat, text.computed, text.idle = seat, shared, 0
        self._owners[seat] = text
        self._touched[seat] = self._plans
        insort(self._running, text, key=_age)

    # ------------------------------------------------------------ who gets what

    def _wanted(self) -> dict[Text, int]:
        """The tokens that each text in the making may have in this step, as if cells were free."""
        wanted = {text: 1 for text in self._running if text.pending == 1 and text.ready}
        left = self._limits.batch - len(wanted)
        if wanted:
            left = min(left, self._limits.chunk)
        # Nobody reads it: its last token is computed when its next one is asked for.
        open_ = {text: text.pending - (not text.ready) for text in self._running}
        prompts = [text for text in self._running if text.pending > 1 and open_[text]]
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
        planned = sum(run.size for run in step.runs)
        while (free := self._limits.cells - self._cells.used - planned) < count:
            stored = [seat for seat in self._stored() if self._held[seat]]
            if stored:
                step.moves += self._clear([min(stored, key=self._touched.__getitem__)])
            elif free < 1 and self._running[-1] is not text:
                step.moves += self._preempt(self._running[-1])
            else:
                return

    def _preempt(self, text: Text) -> list[Cut]:
        seat = text.seat
        assert seat is not None
        self._release(text)
        self._wait(text)
        return self._clear([seat])

    # ------------------------------------------------------------ seats

    def _stored(self) -> list[int]:
        return [seat for seat, owner in enumerate(self._owners) if owner is None]

    def _release(self, text: Text) -> None:
        """Its seat is nobody's; what is in there stays."""
        assert text.seat is not None
        self._owners[text.seat] = None
        self._touched[text.seat] = self._plans
        self._running.remove(text)
        text.seat, text.computed = None, 0

    def _wait(self, text: Text) -> None:
        insort(self._waiting, text, key=_age)

    def _clear(self, seats: Iterable[int]) -> list[Cut]:
        return [cut for seat in seats for cut in self._cut(seat, 0)]

    def _cut(self, seat: int, keep: int) -> list[Cut]:
        if len(self._held[seat]) <= keep:
            return []
        del self._held[seat][keep:]
        self._cells.cut(seat, keep)
        return [Cut(seat, keep)]


def _age(text: Text) -> int:
    return text.order


def _idle(text: Text) -> int:
    return -text.idle
