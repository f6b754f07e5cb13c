"""Where control tokens are spelled in a text, found in one pass over it.

The tokens come with a stranger's model, the text from anybody. Trying every token at every
place takes time in the product of both, and the matches may be more than fit into memory
(110 tokens `HH`, `HHH`, ... in a million H's). So the tokens become one automaton (Aho and
Corasick, 1975) that reads each character once. It reads from the end, because then it
knows of every place which tokens begin there: the longest, where the template wrote it, and
the shortest, where a text has to be cut.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Collection, Iterator
from functools import lru_cache

from qwq_gguf.errors import TemplateError

__all__ = ["MOST_NODES", "Spellings", "spellings_of"]

# The largest vocabularies of audio codes (65,536 of `<|s_12345|>`) take 200,000. A node
# takes some 150 bytes.
MOST_NODES = 1 << 20
_CHARACTERS = 0x110000
_FEW = 64


class Spellings:
    """Finds tokens in texts. TemplateError for more tokens than any real vocabulary has."""

    def __init__(self, tokens: Collection[str], *, most_nodes: int = MOST_NODES) -> None:
        # A node is the end of some token, read backwards; node 0 is the empty one.
        self._next: dict[int, int] = {}  # node * _CHARACTERS + character -> node
        self._shortest = array("I", [0])  # of the tokens that a node's path brings to its end
        self._longest = array("I", [0])
        self._most = most_nodes
        parents, depths = array("I", [0]), array("I", [0])
        for token in tokens:
            self._add(token, parents, depths)
        self._fallback = self._link(parents, depths)
        first = sorted(key for key in self._next if key < _CHARACTERS)
        self._begin = re.compile(
            f"[{re.escape(''.join(map(chr, first)))}]" if 0 < len(first) <= _FEW else ".",
            re.DOTALL,
        )
        self._none = not first

    def starts(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Each place where a token begins, from the end of the text to its beginning.

        Gives the place, and the lengths of the shortest and the longest token there.
        """
        if self._none:
            return
        step, back, shortest, longest = self._next, self._fallback, self._shortest, self._longest
        search = self._begin.search
        backwards, size, at = text[::-1], len(text), 0
        # Nearly all of a usual text is skipped here, at the speed of C.
        while (found := search(backwards, at)) is not None:
            at, node = found.start(), 0
            while at < size:
                code = ord(backwards[at])
                following = step.get(node * _CHARACTERS + code)
                while following is None and node:
                    node = back[node]
                    following = step.get(node * _CHARACTERS + code)
                at += 1
                if following is None:
                    break
                node = following
                if shortest[node]:
                    yield size - at, shortest[node], longest[node]

    def _add(self, token: str, parents: array[int], depths: array[int]) -> None:
        node = 0
        for character in reversed(token):
            key = node * _CHARACTERS + ord(character)
            following = self._next.get(key)
            if following is None:
                following = len(parents)
                if following > self._most:
                    raise TemplateError(
                        "the control tokens of this model are too many or too long",
                        found=f"more than {self._most:,} characters",
                        hint="no real vocabulary has as many: the file is damaged or hostile",
                    )
                self._next[key] = following
                parents.append(node)
                depths.append(depths[node] + 1)
                self._shortest.append(0)
                self._longest.append(0)
            node = following
        if node:
            self._shortest[node] = self._longest[node] = len(token)

    def _link(self, parents: array[int], depths: array[int]) -> array[int]:
        """Of each node the longest shorter path that ends like its own, with its tokens."""
        step = self._next
        codes = array("I", bytes(4 * len(parents)))
        for key, child in step.items():
            codes[child] = key % _CHARACTERS
        fallback = array("I", bytes(4 * len(parents)))
        for node in sorted(range(1, len(parents)), key=depths.__getitem__):
            if depths[node] > 1:
                other = fallback[parents[node]]
                while other and other * _CHARACTERS + codes[node] not in step:
                    other = fallback[other]
                fallback[node] = other = step.get(other * _CHARACTERS + codes[node], 0)
                self._shortest[node] = self._shortest[other] or self._shortest[node]
                self._longest[node] = self._longest[node] or self._longest[other]
        return fallback


def spellings_of(tokens: Collection[str]) -> Spellings:
    """Those of the tokens that text could be mistaken for; the last vocabularies are kept.

    Tokens of a single character or of white space alone are left out: text is full of
    them, and nothing hangs on who wrote them.
    """
    return _made(frozenset(tokens))


@lru_cache(maxsize=2)
def _made(tokens: frozenset[str]) -> Spellings:
    # In some order, so that the nodes do not depend on how texts are hashed.
    return Spellings(sorted(token for token in tokens if len(token) > 1 and token.strip()))
