"""Streamed text is wrapped between words, however it is cut into pieces."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from qwq_gguf.cli.terminal.wrap import StreamWrapper, cells, for_width


def wrap(text: str, width: int, indent: int = 0, pieces: int = 1) -> str:
    wrapper = StreamWrapper(width, indent=indent, cells=cell_len)
    shown = [wrapper.feed(text[i : i + pieces]) for i in range(0, len(text), pieces)]
    return "".join(shown) + wrapper.finish()


words = st.lists(st.text("abcdefg", min_size=1, max_size=9), max_size=40)


@given(words, st.integers(12, 40), st.integers(1, 7))
def test_wraps_as_textwrap_does(parts: list[str], width: int, pieces: int) -> None:
    text = " ".join(parts)
    assert wrap(text, width, 2, pieces) == "\n".join(
        textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ")
    )


@given(st.text(st.sampled_from("ab 中\n\t\u0301é"), max_size=80), st.integers(12, 30))
def test_no_line_is_wider_than_the_terminal(text: str, width: int) -> None:
    assert all(cell_len(line) <= width for line in wrap(text, width, 2).split("\n"))


@given(st.text(max_size=60), st.integers(1, 9))
def test_the_pieces_do_not_matter_and_no_letter_is_lost(text: str, pieces: int) -> None:
    shown = wrap(text, 20, 2, pieces)
    assert shown == wrap(text, 20, 2)
    assert "".join(shown.split()) == "".join(text.split())


def test_a_word_wider_than_the_line_is_cut() -> None:
    assert wrap("x" * 25, 10) == "x" * 10 + "\n" + "x" * 10 + "\n" + "x" * 5


def test_indentation_of_the_text_itself_stays() -> None:
    assert wrap("  7\n * 43\n----", 30, 2) == "    7\n   * 43\n  ----"


ERROR = """\
error: the demonstration checkpoint cannot be found where it should have been
  try:      qwq-gguf quantize demo, which is to be copied as it stands and is not broken
  /undo     forget the last question and its answer, and go on from there
    indented words go on as deep as they began, however long they are"""


@pytest.mark.parametrize("width", range(14, 120))
def test_no_word_of_a_note_is_broken(width: int) -> None:
    shown = for_width(ERROR, width)
    assert shown.split() == ERROR.split()
    for line in shown.split("\n"):
        assert len(line) <= width or line.startswith("  try:") or " " not in line.strip()


@pytest.mark.parametrize(
    "line",
    [
        "  ollama create qwq-demo -f /a/folder/with/a/long/name/qwq-demo.Modelfile",
        "now: ollama create qwq-fixed -f qwq-fixed.Modelfile",
        "  qwq-gguf quantize Qwen/QwQ-32B -r Q5_K_S --stream",
        '  CMAKE_ARGS="-DGGML_CUDA=on" pip install --no-binary llama-cpp-python',
    ],
)
def test_a_command_can_be_copied_whole(line: str) -> None:
    assert for_width(f"and now\n{line}", 30) == f"and now\n{line}"


def test_what_goes_on_stands_below_its_words() -> None:
    lines = for_width(ERROR, 40).split("\n")
    assert "            its answer, and go on from" in lines
    assert lines[-1].startswith("    ")
    assert lines[-1][4] != " "
    assert for_width(ERROR, None) == ERROR
    assert cells("\u4e00a\u0301") == 3
