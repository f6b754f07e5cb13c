"""Damaged grammars: read, weighed, and followed through some text."""

from __future__ import annotations

import random
from collections.abc import Iterator

from qwq_gguf.sampling.gbnf import parse_gbnf
from qwq_gguf.sampling.gbnf_ambiguity import most_ways
from qwq_gguf.sampling.gbnf_recogniser import Recogniser
from soak_inputs import Trial
from soak_inputs._mutate import damaged_text, endless

__all__ = ["CLASS", "trials"]

CLASS = "gbnf"

_WHOLE = (
    'root ::= "yes" | "no"',
    'root ::= ("the" | "thin" | "ing" [a-z]{2} | "-"{3,40}) ("." | "é" "!"?)',
    r"""root ::= "{" (pair ("," pair)*)? "}"
pair ::= text ":" (text | number | root)
text ::= "\"" [^"\\\x00-\x1f]{0,5} "\""
number ::= "-"? [0-9]{1,3}
""",
    'root ::= ("-"+ "="? | the+ " "?)+ "."\nthe ::= "the" | "t" "he" | "th" "e"\n',
    'root ::= "a" root "b"? | "x"',
    'root ::= [a-z]* [a-z]* | x{0,20}\nx ::= [ab]? "c"',
)
_PIECES = (
    "root", "x", " ::= ", "|", '"a"', '"' + "a" * 80 + '"', "[a-z]", "[^a]", ".", "*", "+", "?",
    "{3}", "{2,}", "{0,20}", "{2000}", "{0,2000}", "(", ")", "\n", "# x\n", "\\x41", "\\u00e9",
    "\\U0010FFFF", "[", "]", '"', "<think>", "x y ", "\nx ::= ", "x? ",
)  # fmt: skip


def trials(seed: int) -> Iterator[Trial]:
    """Grammars of the tests, damaged."""
    return endless(seed, "grammar", _run)


def _run(seed: int) -> None:
    rng = random.Random(seed)
    grammar = parse_gbnf(damaged_text(rng.choice(_WHOLE), rng, _PIECES))
    most_ways(grammar)
    recogniser = Recogniser(grammar)
    reading = recogniser.begin()
    words = sorted(
        {bytes(rng.choices(b'athe{}":,.-0\xc3\xa9', k=4))[: 1 + n % 4] for n in range(60)}
    )
    pieces = [(word, token) for token, word in enumerate(words)]
    for _ in range(6):
        allowed = sorted(recogniser.allowed_of(reading, pieces))
        if not allowed:
            return
        after = recogniser.read(reading, words[rng.choice(allowed)] * rng.choice((1, 1, 20)))
        reading = after or reading
