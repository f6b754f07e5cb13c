"""How many readings a character can have, and that no text has more."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.errors import ChainError
from qwq_gguf.sampling.gbnf import CharSet, Gbnf, parse_gbnf
from qwq_gguf.sampling.gbnf_ambiguity import MANY, most_ways
from qwq_gguf.sampling.gbnf_recogniser import Recogniser


@pytest.mark.parametrize(
    "grammar, ways",
    [
        ('root ::= "yes" | "no"', 1),
        ("root ::= [0-9]+", 1),
        ("root ::= [a-z]{0,2000}", 1),
        ('root ::= ws "x" ws\nws ::= [ \\n]*', 1),
        ('root ::= "(" root ")" | "x"', 1),
        # Callers are not added up: both read a blank, each for itself.
        ('root ::= "a" word " b" | "c" word " d"\nword ::= [xy]+', 1),
        ('root ::= "no" | "nope"', 2),
        ('root ::= ([a-z]+ " "?)+', 2),
        ("root ::= [a-z]* [a-z]*", 2),
        # Many symbols in one alternative, which once took time for their square.
        (f'root ::= "{"a" * 100}"{{2000}}', 1),
        (f'root ::= "{"ab" * 30_000}"', 1),
        ("root ::= " + "x " * 200 + '"b"\nx ::= "a"?', MANY),
        # A chain that each look at the calls follows by one link, and too many calls for that.
        (
            "root ::= a0\n"
            + "\n".join(f'a{i} ::= "x" a{i + 1} "y"?' for i in range(300))
            + '\na300 ::= "z"',
            MANY,
        ),
        ("root ::= [^a]? [^b]? [^c]? [^d]", 4),
        ('root ::= "a" root "b" | "a" root "c" | "x"', 2),
        ('root ::= .* "x"', 2),
        ('root ::= "a"{0,9} "a"', 2),
        # What is left to do grows with the text, and all of it may be next.
        ('root ::= "a" root "b"? | "x"', MANY),
        ("root ::= " + " | ".join(f'"a{index}"' for index in range(70)), MANY),
        ("root ::= " + " | ".join(f"[{chr(0x100 + 2 * i)}]" for i in range(3000)), MANY),
    ],
)
def test_the_most_readings_of_a_character(grammar: str, ways: int) -> None:
    assert most_ways(parse_gbnf(grammar)) == ways


def grammars(depth: int = 3) -> st.SearchStrategy[str]:
    letters = st.sampled_from(['"a"', '"ab"', "[ab]", "[^a]", ".", "root-2", '""'])
    if depth == 0:
        return letters
    inner = grammars(depth - 1)
    return st.one_of(
        letters,
        st.tuples(inner, inner).map(" ".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} | {pair[1]})"),
        st.tuples(inner, st.sampled_from(["?", "*", "+", "{1,3}", "{2}"])).map(
            lambda pair: f"({pair[0]}){pair[1]}"
        ),
    )


def readings(grammar: Gbnf, text: str) -> list[int]:
    """How many ways read the first, the second, ... character, as llama.cpp follows them."""
    recogniser = Recogniser(grammar)
    stacks: Counter[tuple[int, ...]] = Counter(recogniser.begin().stacks)
    counts = []
    for letter in text:
        after: Counter[tuple[int, ...]] = Counter()
        count = 0
        for stack, ways in stacks.items():
            place = recogniser._places[stack[-1]] if stack else None
            if isinstance(place, CharSet) and place.has(ord(letter)):
                count += ways
                found: set[tuple[int, ...]] = set()
                rest = (*stack[:-1], stack[-1] + 1)
                ended = recogniser._places[rest[-1]] is None
                recogniser._expand(rest[:-1] if ended else rest, found)
                for each in found:
                    after[each] += ways
        counts.append(count)
        stacks = after
    return counts


@given(
    grammars(),
    st.sampled_from(['"b" root "c" | "d"', '"a" | "b"?', "[ab] [bc]?", '"a" root-2 "b"? | "c"']),
    st.text(alphabet="abcd", max_size=7),
)
def test_no_text_is_read_in_more_ways(root: str, other: str, text: str) -> None:
    try:
        grammar = parse_gbnf(f"root ::= {root}\nroot-2 ::= {other}")
        counts = readings(grammar, text)
    except ChainError:
        return
    ways, most = most_ways(grammar), 1
    for count in counts:
        most *= ways
        assert count <= most or ways == MANY


@given(grammars(), st.lists(st.text(alphabet="abcé", min_size=1, max_size=5), max_size=30))
def test_tokens_read_together_are_those_read_one_by_one(root: str, texts: list[str]) -> None:
    pieces = [text.encode()[: 1 + index % 9] for index, text in enumerate(texts)]
    try:
        recogniser = Recogniser(parse_gbnf(f'root ::= {root}\nroot-2 ::= "b"'))
        begin = recogniser.begin()
        ordered = sorted((piece, token) for token, piece in enumerate(pieces))
        together = recogniser.allowed_of(begin, ordered)
        assert together == recogniser.allowed(begin, pieces, ()), pieces
        start = recogniser.read(begin, b"ab"[: 1 + len(texts) % 2])
        if start is not None:
            assert recogniser.allowed_of(start, ordered) == recogniser.allowed(start, pieces, ())
    except ChainError:
        return


def test_readings_that_have_become_the_same_are_equal() -> None:
    """Whatever letter came last: what may follow is then kept, and not found out again."""
    recogniser = Recogniser(parse_gbnf(r'root ::= "\"" [^"]* "\""'))
    within = recogniser.read(recogniser.begin(), b'"a')
    assert within is not None
    for text in ("b", "a long one", "é", "\N{CHECK MARK}"):
        assert recogniser.read(within, text.encode()) == within
    half = recogniser.read(within, "é".encode()[:1])
    assert half is not None
    assert half != within
    assert recogniser.read(half, "é".encode()[1:]) == within
