"""DRY, "don't repeat yourself": which tokens would lengthen a repeat, and what they lose.

Source: the sampler of this name in llama.cpp (src/llama-sampler.cpp, after koboldcpp's).
llama.cpp finds the repeats with the Z-algorithm, here they are found one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from qwq_gguf.sampling.stages import Dry

__all__ = ["breaker_tokens", "penalised_tokens"]

# llama.cpp clamps the exponent so that a float32 holds the penalty: ln of its maximum.
_LOG_MOST = 88.7228391
_MAX_TAIL = 20

Breakers = Mapping[int, Sequence[tuple[int, ...]]]


def penalised_tokens(stage: Dry, tokens: Sequence[int], breakers: Breakers) -> dict[int, float]:
    """What to take off the logit of each token that would lengthen a repeat.

    `tokens` are those in the stage's window, oldest first; `breakers` as made by
    `breaker_tokens`.
    """
    last = list(reversed(tokens))  # last[0] is the newest
    if len(last) <= stage.allowed_length:
        return {}
    limit = _since_breaker(last, breakers)
    if limit < stage.allowed_length:
        return {}
    longest: dict[int, int] = {}
    for back in range(1, len(last)):
        length = 0
        while length + back < len(last) and last[length] == last[length + back]:
            length += 1
        length = min(length, limit)
        # The token that followed the earlier occurrence would lengthen the repeat.
        following = last[back - 1]
        if length >= stage.allowed_length and length > longest.get(following, -1):
            longest[following] = length
    most = int(_LOG_MOST / math.log(stage.base)) if stage.base > 1.000001 else 0
    lost = {}
    for token, length in longest.items():
        if () in breakers.get(token, ()):
            continue  # a token that is itself a breaker may always be said
        exponent = length - stage.allowed_length
        lost[token] = stage.multiplier * stage.base ** (min(exponent, most) if most else exponent)
    return lost


def _since_breaker(last: Sequence[int], breakers: Breakers) -> int:
    """How many tokens were said since the last breaker ended."""
    for back, token in enumerate(last):
        tails = [
            len(tail)
            for tail in breakers.get(token, ())
            if len(tail) <= back and all(part == last[back - 1 - i] for i, part in enumerate(tail))
        ]
        if tails:
            return back - max(tails)
    return len(last)


def breaker_tokens(
    texts: Sequence[str],
    pieces: Sequence[bytes],
    tokenize: Callable[[bytes], Sequence[int]],
) -> dict[int, tuple[tuple[int, ...], ...]]:
    """Which tokens begin a breaker, and with which tokens each of them is completed.

    A token that holds a whole breaker has the empty completion. `pieces` are the bytes of
    each token of the vocabulary, `tokenize` encodes without special tokens.
    """
    found: dict[int, list[tuple[int, ...]]] = {}
    for text in texts:
        breaker = text.encode()
        rests = {
            size: tuple(tokenize(breaker[size:]))[:_MAX_TAIL] for size in range(1, len(breaker))
        }
        for token, piece in enumerate(pieces):
            if breaker in piece:
                found.setdefault(token, []).append(())
                continue
            for size, rest in rests.items():
                if piece.endswith(breaker[:size]) and rest not in found.setdefault(token, []):
                    found[token].append(rest)
    return {token: tuple(tails) for token, tails in found.items() if tails}
