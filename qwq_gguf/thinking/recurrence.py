"""Where the last tokens of a growing text were before, in constant time a token.

Rolling hashes (Karp and Rabin, 1987) of the last 12, 64 and 512 tokens are looked up among the
earlier ones. What is found is a distance, or lag, at which the text may repeat itself; each is then
followed token by token until it fails, and is exact from the first, because the stretch behind
it was compared.
"""

from __future__ import annotations

__all__ = ["GRAM", "Recurrence"]

GRAM = 12  # tokens: shorter stretches recur in any honest table
_LENGTHS = (GRAM, 64, 512)
_MOST_LAGS = 16
_BASE = 1_000_003
_PRIME = (1 << 61) - 1


class Recurrence:
    """The text so far, as much of it as is needed: twice `reach` tokens at most.

    Of repeats up to `reach` tokens apart none is missed. `lags` maps each distance at which the
    text now repeats itself to how many of the last tokens, without a break, equal those so far
    before them: 12 or more.
    """

    def __init__(self, reach: int) -> None:
        self.lags: dict[int, int] = {}
        self._reach = reach
        self._tokens: list[int] = []
        self._sums = [0]  # hashes of all that is kept, up to each place
        self._dropped = 0  # tokens before those that are kept
        self._powers = [pow(_BASE, length, _PRIME) for length in _LENGTHS]
        # Two generations each, so that forgetting old places costs nothing a token.
        self._young: list[dict[int, int]] = [{} for _ in _LENGTHS]
        self._old: list[dict[int, int]] = [{} for _ in _LENGTHS]

    def __len__(self) -> int:
        """Tokens fed so far."""
        return self._dropped + len(self._tokens)

    def tail(self, count: int) -> list[int]:
        """The last tokens."""
        return self._tokens[-count:]

    def feed(self, token: int) -> int:
        """Take one more token: how long ago its 12-gram was there last, 0 for never in reach."""
        tokens, sums = self._tokens, self._sums
        at = len(tokens)
        for lag in tuple(self.lags):
            if lag <= at and tokens[at - lag] == token:
                self.lags[lag] += 1
            else:
                del self.lags[lag]
        tokens.append(token)
        sums.append((sums[-1] * _BASE + token + 1) % _PRIME)
        recent = 0
        for level, length in enumerate(_LENGTHS):
            lag = self._look_up(level, length)
            if lag and (lag in self.lags or self._follow(lag)) and not level:
                recent = lag
        if len(tokens) >= 2 * self._reach + GRAM:
            self._forget()
        return recent

    def _look_up(self, level: int, length: int) -> int:
        """How long ago the last `length` tokens were there, 0 for never; they are noted."""
        sums = self._sums
        if len(sums) <= length:
            return 0
        key = (sums[-1] - sums[-1 - length] * self._powers[level]) % _PRIME
        young = self._young[level]
        place = young.get(key) or self._old[level].get(key)
        here = young[key] = len(self)
        return here - place if place and here - place <= self._reach else 0

    def _follow(self, lag: int) -> bool:
        """Count how far back the text agrees with itself at a new lag; equal hashes may lie."""
        tokens = self._tokens
        run, most = 0, len(tokens) - lag
        while run < most and tokens[-1 - run] == tokens[-1 - run - lag]:
            run += 1
        if run < GRAM:
            return False
        self.lags[lag] = run
        if len(self.lags) > _MOST_LAGS:
            del self.lags[min(self.lags, key=self.lags.__getitem__)]
        return True

    def _forget(self) -> None:
        """Drop the older half."""
        del self._tokens[: self._reach], self._sums[: self._reach]
        self._dropped += self._reach
        self._old, self._young = self._young, [{} for _ in _LENGTHS]
