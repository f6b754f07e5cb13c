"""Patterns for tensor names: what `re` finds, they find, and nothing takes long."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qwq_gguf.errors import RecipeError
from qwq_gguf.patterns.name_pattern import MAX_STEPS, NamePattern, PatternError
from qwq_gguf.quantization import parse_recipe, parse_tensor_type

NAMES = [
    "token_embd.weight",
    "output.weight",
    "output_norm.weight",
    *(
        f"blk.{layer}.{part}.weight"
        for layer in (0, 1, 2, 9, 10, 11, 19, 63, 100)
        for part in ("attn_q", "attn_v", "attn_norm", "ffn_down", "ffn_up_exps", "ffn_gate_inp")
    ),
    "",
    "a b\tc-d",
]
# As people write them for llama.cpp's --tensor-type and for recipes.
ORDINARY = [
    "attn_v",
    "ffn_down=",
    r"^blk\.0\.",
    r"^blk\.(0|1|2|63)\.ffn_down",
    r"blk\.([0-9]|1[0-9])\.ffn_(up|gate|down)(_exps)?\.weight$",
    r"blk\.(?:[0-9]|[1-5][0-9])\..*",
    r"\.(1?\d|6[0-3])\.attn_[qkv]\.",
    r"^(token_embd|output)\.weight$",
    r"blk\.\d{2}\.attn",
    r"blk\.\d{2,}\.attn",
    r"blk\.\d{1,2}\.attn",
    r"ffn_(?:up|down)_exps?",
    r"\bffn_down\b",
    r"\Bdown\B",
    r"[^.]+\.weight",
    r"^[^0-9]*$",
    r"attn_(?:q|k|v)+?\.",
    r"blk.*?weight",
    r"[\w.]+_norm",
    r"[^\W_]+",
    r"[\D.]9",
    r"\w\s\w",
    r"[a-fk-]l?k",
    r"",
    r"a|",
    r"^$",
    r"()*",
    r"(a*)*b",
    r"x{0}y?",
]


@pytest.mark.parametrize("pattern", ORDINARY)
def test_an_ordinary_pattern_means_what_it_meant(pattern: str) -> None:
    ours, theirs = NamePattern(pattern), re.compile(pattern, re.ASCII)
    for name in NAMES:
        assert ours.search(name) == (theirs.search(name) is not None), name
        assert ours.search(name) == (theirs.search(name) is not None), "kept transitions"


def trees(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = inner.map(lambda text: f"(?:{text})")
    return st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map("|".join),
        st.tuples(group, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,}", "*?", "??"])).map(
            "".join
        ),
        inner.map(lambda text: f"({text})"),
    )


PATTERNS = st.recursive(
    st.sampled_from(
        ["a", "b", ".", r"\.", r"\d", r"\w", r"\W", r"\b", r"\B", "^", "$", "[ab]", "[^a]", "[0-1]",
         r"[^\d]", r"[\Wa]", ""]
    ),
    trees,
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=300)
@given(PATTERNS, st.lists(st.text("ab.01_ ", min_size=1, max_size=8), max_size=6))
@example("(?:a|a)*$", ["a" * 8])
def test_what_re_finds_is_found(pattern: str, names: list[str]) -> None:
    ours, theirs = NamePattern(pattern), re.compile(pattern, re.ASCII)
    for name in names:
        assert ours.search(name) == (theirs.search(name) is not None)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "^(a|a)*$",
        "(a|aa)+$",
        "(.*)*.*.*.*.*.*x",
        "(a?){60}a{60}$",
        "^((a*)*)*$",
        "(((((a?){3}){3}){3})*)*c",
        "a.{0,200}b.{0,200}c",
    ],
)
def test_nothing_goes_back_and_forth(pattern: str) -> None:
    # With `re` none of these ends within a lifetime, for this name.
    found = NamePattern(pattern)
    assert not found.search("a" * 59 + "!")
    assert not found.search("a" * 20_000 + "!")


@pytest.mark.parametrize(
    "pattern, why",
    [
        ("(", "a ) is missing, at character 2"),
        ("a)", "closes nothing, at character 2"),
        ("[a", "a ] is missing"),
        ("[]a]", "a class holds nothing"),
        ("[z-a]", "a range goes from one"),
        ("[a-\\d]", "a range goes from one"),
        ("[[:alpha:]]", "[: is not known here"),
        ("*a", "nothing for * to repeat"),
        ("^*", "nothing for * to repeat"),
        ("a**", "repeats what is repeated already"),
        ("a*{2}", "repeats what is repeated already"),
        ("a{", "wants a count"),
        ("a{,3}", "wants a count"),
        ("a{3,2}", "is no count"),
        ("a{9999}", "is no count up to 1000"),
        ("(?!a)b", "what is to be left out goes into a rule before"),
        ("(?i)a", "(?i is not known here"),
        ("(?P<x>a)", "(?P is not known here"),
        (r"(a)\1", r"\1 is not known here"),
        (r"\p{L}", r"\p is not known here"),
        ("a\\", "\\ is not known here, at character 2"),
        ("(" * 33 + ")" * 33, "more than 32 deep"),
        ("a" * 1001, "may have 1000"),
        ("(a{100}){100}", f"more than {MAX_STEPS} steps"),
        ("(((){1000}){1000}){1000}", f"more than {MAX_STEPS} steps"),
    ],
)
def test_what_is_no_pattern_is_said(pattern: str, why: str) -> None:
    with pytest.raises(PatternError) as caught:
        NamePattern(pattern)
    assert why in str(caught.value)


@given(st.text(r"ab\.[]{}()*+?|^$-,0129dDwWbB:!", max_size=30))
def test_whatever_it_is_it_is_one_or_not(pattern: str) -> None:
    try:
        NamePattern(pattern).search("blk.0.attn_q.weight")
    except PatternError:
        pass


def test_patterns_are_compared_by_their_text() -> None:
    first, second = NamePattern("a+"), NamePattern("a+")
    assert first.search("xa")
    assert first == second
    assert hash(first) == hash(second)
    assert first != NamePattern("aa*")


def test_transitions_are_kept_but_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qwq_gguf.patterns.name_pattern._MAX_KEPT", 50)
    pattern = NamePattern("(a|b){3}[^x]*x")
    for number in range(300):
        assert pattern.search(f"{number:09b}x".replace("0", "a").replace("1", "b"))
        assert len(pattern._known) <= 50


def test_recipes_and_flags_say_what_is_wrong_with_a_pattern() -> None:
    rule = '[[rule]]\nnames = "{}"\ntype = "Q6_K"\n'
    head = 'name = "mine"\nbase = "Q4_K"\n'
    with pytest.raises(RecipeError, match=r"rule 1\.names is not a regular expression for names"):
        parse_recipe(head + rule.format("(?!a)"))
    with pytest.raises(RecipeError, match="too many rules"):
        parse_recipe(head + rule.format("a") * 501)
    with pytest.raises(RecipeError, match="the names of all rules are too much"):
        parse_recipe(head + rule.format("a" * 900) * 12)
    with pytest.raises(RecipeError, match="not a regular expression for names: a \\) is missing"):
        parse_tensor_type("(a=Q6_K")
    pattern, _ = parse_tensor_type("(a+)+$=Q6_K")
    assert not pattern.search("a" * 59 + "!")
