from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.chat.events import AnswerDelta, ThinkingDelta
from qwq_gguf.runtime.reply import Delta, ReplyStream
from qwq_gguf.runtime.watch import Watch
from qwq_gguf.thinking import ThoughtSplitter

CLOSE = 8


def stream(
    pieces: list[bytes],
    *,
    stops: tuple[str, ...] = (),
    tools: bool = False,
    inside: bool = True,
) -> tuple[ReplyStream, list[Delta]]:
    splitter = ThoughtSplitter(starts_inside=inside, close_id=CLOSE)
    reply = ReplyStream(splitter, stops=stops, holds_tool_calls=tools)
    deltas: list[Delta] = []
    for piece in pieces:
        deltas += reply.feed(CLOSE if piece == b"</think>" else 1, piece)
        if reply.stopped:
            break
    deltas += reply.finish()
    return reply, deltas


def shown(deltas: list[Delta]) -> tuple[str, str]:
    return (
        "".join(d.text for d in deltas if isinstance(d, ThinkingDelta)),
        "".join(d.text for d in deltas if isinstance(d, AnswerDelta)),
    )


def test_bytes_become_thought_and_answer() -> None:
    pieces = [b"7*43", b"\n", b"</think>", b"\n\n", b"It is \xf0\x9f", b"\x91\x8d", b"."]
    reply, deltas = stream(pieces)
    assert shown(deltas) == (reply.thinking, reply.answer) == ("7*43", "It is 👍.")
    assert (reply.thinking_tokens, reply.answer_tokens) == (3, 4)
    assert not reply.stopped


def test_a_character_cut_off_at_the_end_is_not_lost() -> None:
    reply, deltas = stream([b"a", b"</think>", b"b", b"\xf0\x9f"])
    assert reply.answer == "b\ufffd"
    assert shown(deltas)[1] == reply.answer


@pytest.mark.parametrize("size", [1, 2, 3, 50])
@pytest.mark.parametrize(
    "text, answer, stopped",
    [
        ("one\nHuman: two", "one", True),
        ("one\nHumane", "one\nHumane", False),
        ("one\nHum", "one\nHum", False),
        ("Human: at once", "", True),
        ("a ENDHuman:", "a ", True),
    ],
)
def test_a_stop_text_ends_the_reply_and_is_not_shown(
    size: int, text: str, answer: str, stopped: bool
) -> None:
    pieces = [b"t", b"</think>"]
    pieces += [text.encode()[i : i + size] for i in range(0, len(text), size)]
    reply, deltas = stream(pieces, stops=("\nHuman:", "Human:", "END"))
    assert (reply.answer.rstrip("\n"), reply.stopped) == (answer, stopped)
    assert shown(deltas)[1] == reply.answer


def test_a_stop_text_works_in_the_thought_too() -> None:
    reply, deltas = stream([b"so far ST", b"OP more", b"</think>", b"no"], stops=("STOP",))
    assert shown(deltas) == ("so far ", "")
    assert reply.stopped


def test_the_beginning_of_a_stop_at_the_end_of_the_thought_stays_there() -> None:
    _, deltas = stream([b"ST", b"</think>", b"OP"], stops=("STOP",))
    assert shown(deltas) == ("ST", "OP")


@pytest.mark.parametrize("size", [1, 4, 50])
def test_a_tool_call_is_kept_but_not_shown(size: int) -> None:
    text = 'Let me see.\n<tool_call>\n{"name": "x"}\n</tool_call>'
    pieces = [b"t", b"</think>"]
    pieces += [text.encode()[i : i + size] for i in range(0, len(text), size)]
    reply, deltas = stream(pieces, tools=True)
    assert reply.answer == text
    assert shown(deltas)[1].strip() == "Let me see."


def test_what_only_looks_like_a_tool_call_is_shown() -> None:
    reply, deltas = stream([b"t", b"</think>", b"a <tool", b" box> <tool_"], tools=True)
    assert shown(deltas)[1] == reply.answer == "a <tool box> <tool_"


def test_without_tools_a_tool_call_is_text() -> None:
    _, deltas = stream([b"t", b"</think>", b"<tool_call>{}"])
    assert shown(deltas)[1] == "<tool_call>{}"


@given(text=st.text("abST", max_size=30), data=st.data())
def test_a_watch_finds_the_first_match_however_the_text_is_cut(
    text: str, data: st.DataObject
) -> None:
    watch = Watch(("STS", "ab", "T"))
    passed, rest = "", text
    match = None
    while rest and match is None:
        size = data.draw(st.integers(1, len(rest)))
        safe, match = watch.feed(rest[:size])
        passed += safe
        rest = rest[size:]
    if match is None:
        passed += watch.flush()
        assert passed == text
        assert not any(watched in text for watched in ("STS", "ab", "T"))
    else:
        assert passed + match + rest == text
        assert match.startswith(("STS", "ab", "T"))
        assert not any(watched in passed for watched in ("STS", "ab", "T"))
