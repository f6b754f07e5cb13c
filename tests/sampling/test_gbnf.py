"""Which grammars are read, which are refused, and with what reason."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qwq_gguf.errors import ChainError
from qwq_gguf.sampling.gbnf import CharSet, parse_gbnf
from qwq_gguf.sampling.gbnf_recogniser import Recogniser


def accepts(grammar: str, text: str, root: str = "root") -> bool:
    recogniser = Recogniser(parse_gbnf(grammar, root))
    reading = recogniser.begin()
    for byte in text.encode():
        after = recogniser.read(reading, bytes([byte]))
        if after is None:
            return False
        reading = after
    return reading.complete


@pytest.mark.parametrize(
    "grammar, inside, outside",
    [
        ('root ::= "yes" | "no"', ["yes", "no"], ["", "y", "yesno", "maybe"]),
        ('root ::= "a" ("b" | "c")? "d"', ["ad", "abd", "acd"], ["abcd", "a"]),
        ('root ::= "a"*', ["", "a", "aaaa"], ["b", "ab"]),
        ('root ::= ("ab")+ # what follows is a note\n', ["ab", "abab"], ["", "aba"]),
        ('root ::= "ab"{2}', ["abab"], ["ab", "ababab"]),
        ("root ::= [a-c]{2,}", ["ab", "abcabc"], ["a", "ad"]),
        ("root ::= [a-c]{1,3}", ["a", "abc"], ["", "abca"]),
        ("root ::= [a-c]{0}", [""], ["a"]),
        ('root ::= "a"{2}{2}', ["aaaa"], ["aa", "aaa"]),
        ('root ::= [^a-z"] .', ["A!", "1\n", "éa"], ["ab", '"a', "A"]),
        ("root ::= [\\-\\]\\\\a-] ", ["-", "]", "\\", "a"], ["b"]),
        ('root ::= "\\x41\\u00e9\\U0001F600\\n\\t\\r\\""', ['Aé😀\n\t\r"'], ["A"]),
        ('root ::=\n  a |\n  b\na ::= "1"\r\nb ::= "2"', ["1", "2"], ["12"]),
        ('root ::= (\n"a"\n|\n"b"\n)', ["a", "b"], ["ab"]),
        ('root ::= "(" root ")" | ""', ["", "()", "((()))"], ["(", "(()", ")("]),
        ("root ::= [🐀-🐿]+", ["🐈🐁"], ["a", ""]),
        ('root ::= [0-9-]+ "€"', ["1-2€"], ["€", "1"]),
    ],
)
def test_what_a_grammar_means(grammar: str, inside: list[str], outside: list[str]) -> None:
    for text in inside:
        assert accepts(grammar, text), text
    for text in outside:
        assert not accepts(grammar, text), text


def test_another_rule_can_be_the_first() -> None:
    grammar = 'root ::= "a"\nnumber ::= [0-9]+'
    assert accepts(grammar, "42", "number")
    assert parse_gbnf(grammar, "number").names == ("root", "number")


@pytest.mark.parametrize(
    "grammar, reason",
    [
        ('root ::= root "a" | "b"', "begin with itself"),
        ('root ::= a\na ::= b\nb ::= a "x" | "y"', "begin with itself"),
        ('root ::= no root "x" | "y"\nno ::= "n"?', "begin with itself"),
        ('root ::= other root "x" | "y"\nother ::= no\nno ::= | "n"', "begin with itself"),
        ('root ::= ("a"?)*', "begin with itself"),
        ('root ::= "a"\nunused ::= unused "a" | "b"', "begin with itself"),
        ('root ::= "a" root', "for ever"),
        ('root ::= "a" b\nb ::= "(" b ")" | [xyz] b', "for ever"),
        ('root ::= "a" b', "rule b is used, but nowhere defined"),
        ('start ::= "a"', "lacks the rule to begin with"),
        ("", "lacks the rule to begin with"),
        ("# nothing", "lacks the rule to begin with"),
        ('root ::= "a"\nroot ::= "b"', "root is defined twice"),
        ('root = "a"', "comes ::="),
        ('root ::= "a"{3,1}', "end before it begins"),
        ('root ::= "a"{2001}', "more than 2000"),
        ('root ::= "a"{0,2001}', "more than 2000"),
        ('root ::= ("a"{1,50} "b"){1,50}', "more than 2000"),
        ('root ::= "a"{99999999999999999999}', "nine digits"),
        ('root ::= "a"{,3}', "a repetition is"),
        ('root ::= "a"{-1}', "a repetition is"),
        ('root ::= "a" | *', "nothing before this"),
        ('root ::= ""*', "nothing before this"),
        ('root ::= ("a"', "( has no )"),
        ('root ::= "a")', "this ) closes nothing"),
        ('root ::= "a', "no closing quote"),
        ('root ::= "a\\', "an escape is"),
        ("root ::= [a", "no closing ]"),
        ("root ::= [a-", "no closing ]"),
        ("root ::= []", "cannot be empty"),
        ("root ::= [^]", "cannot be empty"),
        ("root ::= [z-a]", "upside down"),
        ('root ::= "\\q"', "an escape is"),
        ('root ::= "\\x4"', "an escape is"),
        ('root ::= "\\U00110000"', "no such character"),
        ("root ::= <think>", "tokens cannot be named"),
        ("root ::= !<[7]>", "tokens cannot be named"),
        ("%llguidance {}\nstart: 'a'", "name of a rule"),
        ('root ::= "a"\n| "b"', "name of a rule"),
        ('root ::= "a" $', "ends with its line"),
        ('root ::= "a\0"', "zero byte"),
        ('root ::= "\ud800"', "UTF-8"),
        ("root ::= " + "(" * 65 + '"a"' + ")" * 65, "more than 64 parentheses"),
        ("root ::= [" + "ab" * 500 + "]{1000}", "too large"),
        ('root ::= "' + "a" * 70_000 + '"', "too long"),
    ],
)
def test_what_is_refused(grammar: str, reason: str) -> None:
    with pytest.raises(ChainError) as caught:
        parse_gbnf(grammar)
    assert reason in str(caught.value)


def test_a_refusal_names_the_place() -> None:
    with pytest.raises(ChainError) as caught:
        parse_gbnf('root ::= "a"\nb ::= [x-a]')
    assert caught.value.found == "line 2, column 11: ']'"


def test_a_grammar_that_begins_in_very_many_ways_is_refused_at_once() -> None:
    # Each rule is two of the next one, all may be empty: 2 ** 40 ways to begin.
    rules = "\n".join(f"a{i} ::= a{i + 1} a{i + 1}" for i in range(40))
    with pytest.raises(ChainError, match="too many ways"):
        parse_gbnf(f'root ::= a0\n{rules}\na40 ::= "x"?')


def test_rules_that_lead_to_each_other_without_end_are_refused() -> None:
    rules = "\n".join(f"a{i} ::= a{i + 1}" for i in range(3000))
    with pytest.raises(ChainError, match="too deeply"):
        parse_gbnf(f'root ::= a0\n{rules}\na3000 ::= "x"')


def test_a_text_with_exponentially_many_readings_ends_in_an_error_not_in_a_full_memory() -> None:
    recogniser = Recogniser(parse_gbnf('root ::= "a" root "b" | "a" root "c" | ""'))
    with pytest.raises(ChainError, match="too many ways"):
        recogniser.read(recogniser.begin(), b"a" * 40)


def test_a_text_that_nests_too_deeply_ends_in_an_error() -> None:
    recogniser = Recogniser(parse_gbnf('root ::= "(" root ")" | "x"'))
    with pytest.raises(ChainError, match="nests too deeply"):
        recogniser.read(recogniser.begin(), b"(" * 3000)


def test_characters_may_be_cut_by_tokens() -> None:
    recogniser = Recogniser(parse_gbnf("root ::= [é-ê] [^b]"))
    begun = recogniser.read(recogniser.begin(), "é".encode()[:1])
    assert begun is not None
    assert recogniser.read(recogniser.begin(), "☃".encode()[:1]) is None
    assert recogniser.read(begun, b"a") is None  # not how it goes on
    whole = recogniser.read(begun, "é".encode()[1:] + b"a")
    assert whole is not None
    assert whole.complete
    # A continuation byte, nothing, and a zero byte begin no text.
    for piece in (b"\xa9", b"", b"\0a"):
        assert recogniser.read(recogniser.begin(), piece) is None


def test_what_ends_a_text_is_allowed_where_it_may_end() -> None:
    recogniser = Recogniser(parse_gbnf('root ::= "ab"?'))
    pieces = [b"a", b"ab", b"b", b"<end>"]
    begin = recogniser.begin()
    assert recogniser.allowed(begin, pieces, [3]) == {0, 1, 3}
    after = recogniser.read(begin, b"a")
    assert after is not None
    assert recogniser.allowed(after, pieces, [3]) == {2}


def test_sets_know_what_a_beginning_may_become() -> None:
    assert CharSet(((5, 9),)).may_have(9, 20)
    assert not CharSet(((5, 9),)).may_have(10, 20)
    assert CharSet(((5, 9),), negated=True).may_have(10, 20)


@given(st.text(alphabet='root:=|()[]{}",\\-^*+?.0123 \nabc<>!', max_size=60))
def test_no_text_does_worse_than_being_refused(text: str) -> None:
    try:
        grammar = parse_gbnf(f"root ::= {text}")
        recogniser = Recogniser(grammar)
        recogniser.read(recogniser.begin(), b"abc")
    except ChainError:
        return


@st.composite
def patterns(draw: st.DrawFn, depth: int = 3) -> str:
    """A pattern that means the same in GBNF and as one of Python's regular expressions."""
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from(["[ab]", "[^a]", "[a]", "[b-c]"]))
    one = draw(patterns(depth - 1))
    match draw(st.integers(0, 3)):
        case 0:
            return one + draw(patterns(depth - 1))
        case 1:
            return f"({one}|{draw(patterns(depth - 1))})"
        case 2:
            return f"({one})" + draw(st.sampled_from(["?", "{2}", "{1,3}", "{0,2}"]))
        case _:
            return f"({one})" + draw(st.sampled_from(["*", "+", "{2,}"]))


@given(patterns(), st.lists(st.text(alphabet="abc", max_size=6), max_size=12))
def test_regular_grammars_agree_with_regular_expressions(pattern: str, texts: list[str]) -> None:
    grammar = f"root ::= {pattern}"
    try:
        parse_gbnf(grammar)
    except ChainError as error:  # an empty text repeated, or too much of it
        assume("begin with itself" not in str(error))
        assume("too many" not in str(error))
        raise
    for text in texts:
        assert accepts(grammar, text) == (re.fullmatch(pattern, text) is not None), text


@pytest.mark.parametrize(
    "grammar, text",
    [
        # Each character opens one reading more, as deep as the text is long: cubes of its length.
        ('root ::= "a" root "b"? | "a"', "a" * 1500),
        ("root ::= " + " | ".join(f'[ab]{{{i}}} "a" root?' for i in range(60)), "ab" * 400),
    ],
)
def test_reading_on_is_bounded(grammar: str, text: str) -> None:
    recogniser = Recogniser(parse_gbnf(grammar))
    reading = recogniser.begin()
    assert recogniser.read(reading, text[:4].encode()) is not None
    with pytest.raises(ChainError, match="too many ways here"):
        recogniser.read(reading, text.encode())


def test_trying_a_vocabulary_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qwq_gguf.sampling.gbnf_recogniser._MAX_WORK_OF_MANY", 1_000_000)
    recogniser = Recogniser(
        parse_gbnf("root ::= " + " | ".join(f'[ab]{{{i}}} "a" root?' for i in range(60)))
    )
    reading = recogniser.read(recogniser.begin(), b"a" * 30)
    assert reading is not None
    words = sorted({f"{number:012b}".replace("0", "a").replace("1", "b") for number in range(4096)})
    few = [(word.encode(), token) for token, word in enumerate(words[:2])]
    assert recogniser.allowed_of(reading, few)
    with pytest.raises(ChainError, match="too many ways here"):
        recogniser.allowed_of(reading, [(word.encode(), n) for n, word in enumerate(words)])


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qwq_gguf.sampling.gbnf_recogniser._MOST_KEPT", 500)
    recogniser = Recogniser(parse_gbnf('root ::= "(" root ")" | "x"'))
    reading = recogniser.begin()
    for _ in range(200):
        after = recogniser.read(reading, b"(")
        assert after is not None
        reading = after
        kept = sum(len(stack) for found in recogniser._known.values() for stack in found)
        assert kept <= 500
    assert recogniser.read(reading, b"x" + b")" * 200) is not None
