"""Foreign text is made harmless, names are listed and suggested, and numbers read well."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.json_text import to_json
from qwq_gguf.words import (
    clean,
    count,
    did_you_mean,
    human_bytes,
    human_count,
    human_time,
    is_plain,
    message_of,
    one_line,
    some,
)

HOSTILE = {
    "clear screen": "\x1b[2J",
    "window title": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;ZWNobw==\x1b\\",
    "C1 CSI": "\x9b31m",
    "backspaces": "safe\b\b\b\bevil",
    "carriage return": "safe\revil",
    "right-to-left": "\u202egnp.exe",
    "delete": "a\x7fb",
    "null": "a\x00b",
    "lone surrogate": "a\udc9bb",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_terminal_controls_do_not_survive(text: str) -> None:
    shown = clean(text)
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in shown)
    assert len(shown) == len(text), "every control leaves a visible mark"
    shown.encode()


@given(st.text(st.characters(codec="utf-8")))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_ordinary_text_is_left_alone() -> None:
    text = "Ünïcode, 中文, emoji 👩‍👩‍👧, عربى\n\tindented\n"
    assert clean(text) == text


def test_windows_line_ends_are_line_ends() -> None:
    assert clean("a\r\nb") == "a\nb"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_json_is_harmless_and_exact(text: str) -> None:
    import json

    shown = to_json({"text": text})
    assert json.loads(shown) == {"text": text}
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in shown)


def test_json_keeps_every_script_readable() -> None:
    assert "中文" in to_json({"text": "中文"})


def test_one_line_is_bounded_whatever_comes() -> None:
    assert one_line("a\nb\tc") == "a b c"
    assert one_line("x" * 10_000_000, 20) == "x" * 19 + "…"
    assert one_line(" " * 10_000 + "x", 20).endswith("…")


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (999, "999"), (5_010_000, "5.01 M"), (32_763_876_352, "32.8 B"), (1e15, "1000 T")],
)
def test_counts(number: float, shown: str) -> None:
    assert human_count(number) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(1, "1 B"), (1024, "1.00 KiB"), (19_845_357_000, "18.5 GiB"), (1 << 60, "1048576 TiB")],
)
def test_bytes(number: float, shown: str) -> None:
    assert human_bytes(number) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.7, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3900, "1 h 05 min"),
    ],
)
def test_times(seconds: float, shown: str) -> None:
    assert human_time(seconds) == shown


def test_plurals() -> None:
    assert [count(n, "token") for n in (0, 1, 2000)] == ["0 tokens", "1 token", "2,000 tokens"]


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b", "c"], "a, b, c"),
        (["a", "b", "c", "d"], "a, b, c and 1 more"),
        (range(2000), "0, 1, 2 and 1,997 more"),
    ],
)
def test_a_list_says_how_many_more_there_are(names: Sequence[object], shown: str) -> None:
    assert some(names) == shown
    assert some(iter(names)) == shown


def test_a_list_of_sentences_is_kept_apart_by_semicolons() -> None:
    assert some(["a = 1", "b = 2", "c = 3"], 2, "; ") == "a = 1; b = 2 and 1 more"


def test_a_suggestion_is_by_case_no_other_name() -> None:
    assert did_you_mean("TOP_KK", ["top_k", "top_p", "dry"]) == "did you mean top_k?"
    assert did_you_mean("q4_k", ["Q4_K_S", "Q4_K_M", "F16"]) == "did you mean Q4_K_S or Q4_K_M?"
    assert did_you_mean("nothing like it", ["top_k"]) is None
    assert did_you_mean("", []) is None


def test_what_a_server_says_has_no_secrets_and_nothing_unseen() -> None:
    said = "no\x1b[2J\u200b\u202e https://u:p4ss@x/y?sig=1 hf_secret123\n Bearer abc"
    shown = message_of(said)
    assert shown == "no␛[2J\\u200b� https://x/y (a token) Bearer (a secret)"
    assert is_plain(shown)
    assert not is_plain(said)


@given(st.text())
def test_one_line_is_plain_whatever_comes(text: str) -> None:
    shown = one_line(text)
    assert is_plain(shown)
    assert len(shown) <= 60
