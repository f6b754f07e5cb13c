"""Streamed Markdown is cut into blocks that each render alone as they would together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.cli.terminal.markdown import BlockSplitter, for_screen


def blocks(text: str, pieces: int = 1) -> list[str]:
    splitter = BlockSplitter()
    found = []
    for at in range(0, len(text), pieces):
        found += splitter.feed(text[at : at + pieces])
    return found + splitter.finish()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\n\ntwo\n\n\nthree", ["one", "two", "three"]),
        ("one\ntwo", ["one\ntwo"]),
        ("1. a\n\n2. b\n\n   more\n\nend", ["1. a\n\n2. b\n\n   more", "end"]),
        ("- a\n\n- b\n\n12 apples", ["- a\n\n- b", "12 apples"]),
        ("```py\na\n\nb\n```\n\nend", ["```py\na\n\nb\n```", "end"]),
        ("````\n```\n\n```\n````\n\nend", ["````\n```\n\n```\n````", "end"]),
        ("```\nnever closed\n\nstill code", ["```\nnever closed\n\nstill code"]),
        ("\n\n  \nlate", ["late"]),
        ("", []),
        ("\n \n", []),
    ],
)
def test_blocks(text: str, expected: list[str]) -> None:
    assert [block.strip() for block in blocks(text) if block.strip()] == expected


markdown = st.text(st.sampled_from("ab 1.-`~\n\n\n#*"), max_size=60)


@given(markdown, st.integers(1, 5))
def test_the_pieces_do_not_matter_and_nothing_is_lost(text: str, pieces: int) -> None:
    cut = blocks(text, pieces)
    assert [b.strip() for b in cut] == [b.strip() for b in blocks(text, 1)]
    assert "".join("".join(cut).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"7*43 = \boxed{301}", "7*43 = **301**"),
        (r"**\boxed{3}** \boxed{-3}", "**3** -3"),
        (r"\boxed{30", r"\\boxed{30"),
        (r"\(a\) and \[b\] but \(", r"a and b but \\("),
        (r"\(\unknown{x}\)", r"\\(\\unknown{x}\\)"),
        ("$x_1$ and $2*3*4$", "x₁ and 2\\*3\\*4"),
        ("$5 and $6, or $5-$6", "$5 and $6, or $5-$6"),
        (r"`\boxed{1}` $$\frac{a+b}{c}$$", r"`\boxed{1}` (a+b)/c"),
        ("\\[\n x &= 1 \\\\\n y &= 2\n\\]", "x = 1\\\ny = 2"),
        ("List<int>", r"List\<int>"),
        ("`a<b` a<b", r"`a<b` a\<b"),
        ("```\n<b>\\(\n```\n<b>", "```\n<b>\\(\n```\n\\<b>"),
        (r"3 \* 4", r"3 \* 4"),
    ],
)
def test_for_screen(text: str, shown: str) -> None:
    assert for_screen(text) == shown


def test_a_long_line_of_backticks_is_no_trap() -> None:
    assert len(for_screen("`" * 20_000 + "a")) == 20_001
