"""What a template may use, and what it has used.

Two rules make every single operation short, so that counting between operations is
enough. No value, with all that it holds counted as often as it occurs in it, weighs more
than `value`: a list of two lists of two lists ... cannot be printed, compared or hashed
for ever. And the sum of all that is made or looked through is bounded by `work`.

Whoever asks one template many questions opens `one_budget` around them: each rendering
keeps its own limits, and what all of them use together is bounded too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

__all__ = [
    "WHOLE_COMMAND",
    "Budget",
    "LimitExceeded",
    "Limits",
    "Meter",
    "meter",
    "metering",
    "one_budget",
    "small_int",
]

_MAX_NESTING = 100
_MAX_INT_BITS = 4096


class LimitExceeded(Exception):
    """A template wanted more than it may use."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for one template; characters and items weigh 1 each.

    A long chat of 131,072 tokens is about half a million characters, and the longest
    published templates have 30,000.
    """

    source: int = 64 * 1024  # characters of the template
    input: int = 4 << 20  # weight of messages, tools and variables together
    output: int = 4 << 20  # characters of the prompt
    value: int = 8 << 20  # weight of a single value
    items: int = 1 << 18  # items of a single list
    work: int = 64 << 20  # weight of everything made
    steps: int = 1_000_000  # loop rounds, calls and operations
    calls: int = 50  # macros inside macros
    seconds: float = 2.0


# For all that one command asks of a template: some forty renderings of a few short messages.
WHOLE_COMMAND = Limits(work=128 << 20, steps=2_000_000, seconds=4.0)


class Budget:
    """What is left of the steps, the work and the seconds of several renderings together."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.steps, self.work, self.seconds = limits.steps, limits.work, limits.seconds

    @property
    def spent(self) -> str | None:
        """Which bound is reached, None while something is left of all of them."""
        if self.steps <= 0:
            return f"all its renderings together take more than {self.limits.steps} steps"
        if self.work <= 0:
            return f"all its renderings together make more than {self.limits.work} characters"
        if self.seconds <= 0:
            return f"all its renderings together take longer than {self.limits.seconds:g} seconds"
        return None


@dataclass(frozen=True, slots=True)
class _Measure:
    """`plain`: nothing but texts, numbers, None, lists and dicts inside."""

    weight: int
    nesting: int
    plain: bool


class Meter:
    """Counts one rendering, and draws what it uses from a budget; raises LimitExceeded."""

    def __init__(self, limits: Limits, budget: Budget | None = None) -> None:
        self.limits = limits
        self._budget = budget
        left = limits if budget is None else budget
        self._most_steps = min(limits.steps, left.steps)
        self._most_work = min(limits.work, left.work)
        self._steps = 0
        self._work = 0
        self._calls = 0
        self._begun = time.monotonic()
        self._deadline = self._begun + min(limits.seconds, left.seconds)
        # By identity, with the value itself so that no other can take over its identity.
        self._known: dict[int, tuple[object, _Measure]] = {}

    def step(self) -> None:
        """Count one operation and look at the clock."""
        self._steps += 1
        if self._steps > self._most_steps:
            raise self._over(f"it takes more than {self.limits.steps} steps")
        if time.monotonic() > self._deadline:
            raise self._over(f"it takes longer than {self.limits.seconds:g} seconds")

    def afford(self, weight: int) -> None:
        """Count a value about to be made."""
        if weight > self.limits.value:
            raise LimitExceeded(f"it makes a value larger than {self.limits.value} characters")
        self._work += weight
        if self._work > self._most_work:
            raise self._over(f"it makes more than {self.limits.work} characters in all")

    def settle(self) -> None:
        """Take what was used from the budget, once."""
        if self._budget is not None:
            self._budget.steps -= self._steps
            self._budget.work -= self._work
            self._budget.seconds -= time.monotonic() - self._begun
            self._budget = None

    def _over(self, own: str) -> LimitExceeded:
        budget = self._budget
        self.settle()
        return LimitExceeded((budget and budget.spent) or own)

    def afford_items(self, count: int) -> None:
        """Count a list about to be made."""
        if count > self.limits.items:
            raise LimitExceeded(f"it makes a list of more than {self.limits.items} items")
        self.afford(count)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count a call for as long as it lasts."""
        self._calls += 1
        try:
            if self._calls > self.limits.calls:
                raise LimitExceeded(f"its macros call each other {self.limits.calls} deep")
            yield
        finally:
            self._calls -= 1

    def drawn(self, values: Iterable[Any]) -> list[Any]:
        """The items of something that may be lazy, counted one by one."""
        items = []
        for value in values:
            self.step()
            items.append(value)
            if len(items) > self.limits.items:
                raise LimitExceeded(f"it makes a list of more than {self.limits.items} items")
        return items

    def value(self, value: Any) -> Any:
        """Check a value that was made, and give it back."""
        if isinstance(value, (list, tuple, dict)):
            self.afford_items(len(value))
            self.measure(value)
        return value

    def weight(self, *values: object) -> int:
        """The weight of values together."""
        return sum(self.measure(value).weight for value in values)

    def is_plain(self, value: object) -> bool:
        """Whether a value holds nothing but data."""
        return self.measure(value).plain

    def measure(self, value: object) -> _Measure:
        """Measure a value; containers are measured once, as templates cannot change them."""
        if isinstance(value, str):
            return _Measure(len(value) + 1, 0, True)
        if isinstance(value, int):
            return _Measure(1 + value.bit_length() // 4, 0, True)
        if value is None or isinstance(value, float):
            return _Measure(1, 0, True)
        if isinstance(value, range):
            return _Measure(len(value) + 1, 1, False)
        if not isinstance(value, (list, tuple, dict)):
            return _Measure(1, 0, False)
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        weight, nesting, plain = 1, 0, True
        for item in _items(value):
            inner = self.measure(item)
            weight += inner.weight
            nesting = max(nesting, inner.nesting)
            plain = plain and inner.plain
        result = _Measure(weight, nesting + 1, plain)
        if weight > self.limits.value:
            raise LimitExceeded(f"it makes a value larger than {self.limits.value} characters")
        if result.nesting > _MAX_NESTING:
            raise LimitExceeded(f"it nests lists more than {_MAX_NESTING} deep")
        self._known[id(value)] = (value, result)
        return result


def small_int(bits: int) -> None:
    """Refuse a whole number of so many bits before it is computed."""
    if bits > _MAX_INT_BITS:
        raise LimitExceeded(f"it makes a number of more than {_MAX_INT_BITS} bits")


def _items(container: list[Any] | tuple[Any, ...] | dict[Any, Any]) -> Iterator[Any]:
    if isinstance(container, Mapping):
        yield from container.keys()
        yield from container.values()
    else:
        yield from container


_CURRENT: ContextVar[Meter] = ContextVar("meter")
_BUDGET: ContextVar[Budget | None] = ContextVar("budget", default=None)


def meter() -> Meter:
    """The meter of the rendering that is going on here."""
    return _CURRENT.get()


@contextmanager
def metering(limits: Limits) -> Iterator[Meter]:
    """Count what happens inside, and take it from the budget that is open here, if any.

    Raises LimitExceeded at once when nothing is left of that.
    """
    budget = _BUDGET.get()
    if budget is not None and budget.spent is not None:
        raise LimitExceeded(budget.spent)
    current = Meter(limits, budget)
    token = _CURRENT.set(current)
    try:
        yield current
    finally:
        _CURRENT.reset(token)
        current.settle()


@contextmanager
def one_budget(limits: Limits = WHOLE_COMMAND) -> Iterator[Budget]:
    """One bound for everything that is compiled and rendered inside, however often.

    Steps, work and seconds of `limits` are for the sum; only the time inside renderings
    counts. Inside another budget this one changes nothing: the outermost rules.
    """
    outer = _BUDGET.get()
    if outer is not None:
        yield outer
        return
    budget = Budget(limits)
    token = _BUDGET.set(budget)
    try:
        yield budget
    finally:
        _BUDGET.reset(token)
