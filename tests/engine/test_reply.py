from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.chat.events import AnswerDelta, AnswerWasThought, ThinkingDelta
from qwq_gguf.chat.tool_formats import HERMES
from qwq_gguf.engine.replies import Delta, ReplyStream
from qwq_gguf.engine.replies.watch import Suspense, Watch
from qwq_gguf.thinking import ThoughtSplitter

CLOSE = 8


def stream(
    pieces: list[bytes],
    *,
    stops: tuple[str, ...] = (),
    answer_stops: tuple[str, ...] = (),
    tools: bool = False,
    inside: bool = True,
    turn_ended: bool = True,
) -> tuple[ReplyStream, list[Delta]]:
    splitter = ThoughtSplitter(starts_inside=inside, may_be_open=not inside, close_id=CLOSE)
    reply = ReplyStream(
        splitter, stops=stops, answer_stops=answer_stops, tool_format=HERMES if tools else None
    )
    deltas: list[Delta] = []
    for piece in pieces:
        deltas += reply.feed(CLOSE if piece == b"</think>" else 1, piece)
        if reply.stopped:
            break
    deltas += reply.finish(turn_ended=turn_ended)
    return reply, deltas


def shown(deltas: list[Delta]) -> tuple[str, str]:
    """Thought and answer as a reader has them at the end."""
    thought = answer = ""
    for delta in deltas:
        match delta:
            case ThinkingDelta(text=text):
                thought += text
            case AnswerDelta(text=text):
                answer += text
            case AnswerWasThought():
                thought, answer = thought + answer, ""
    return thought, answer


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


def test_a_stop_of_the_answer_ends_no_thought() -> None:
    pieces = [b"so far ST", b"OP more", b"</think>", b"no ST", b"OP more"]
    reply, deltas = stream(pieces, answer_stops=("STOP",))
    assert shown(deltas) == ("so far STOP more", "no ")
    assert reply.stopped


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


CALL = '<tool_call>\n{"name": "x"}\n</tool_call>'
SAID = st.lists(
    st.sampled_from(
        [CALL, "<tool_call>", "</tool_call>", '{"name": "x"}', "{", "so", "\n", " ", "<"]
    )
    | st.just("</think>"),
    max_size=9,
)


@given(said=SAID, inside=st.booleans(), ended=st.booleans(), data=st.data())
def test_what_is_shown_is_what_is_kept_but_for_calls(
    said: list[str], inside: bool, ended: bool, data: st.DataObject
) -> None:
    pieces: list[bytes] = []
    for text in said:
        cut = data.draw(st.integers(0, len(text))) if text != "</think>" else 0
        pieces += [part.encode() for part in (text[:cut], text[cut:]) if part]
    reply, deltas = stream(pieces, tools=True, inside=inside, turn_ended=ended)
    thought, answer = shown(deltas)
    assert thought.rstrip() == reply.thinking.rstrip()
    # The answer is shown as far as its first call.
    assert answer == reply.answer.partition("<tool_call>")[0]
    text = "".join(said)
    open_thought = inside and "</think>" not in text
    if open_thought and text.rstrip().endswith(CALL):
        assert bool(HERMES.parse(reply.answer).calls) == ended
    elif open_thought and "<tool_call>" not in text:
        assert reply.answer == ""
    # Nothing is lost but the tag and white space around it.
    kept = "".join((reply.thinking + reply.answer).split())
    assert kept == "".join(text.replace("</think>", "", 1).split())
    unsure = [d for d in deltas if isinstance(d, AnswerDelta) and not d.sure]
    assert not (unsure and inside)
    if AnswerWasThought() in deltas:
        at = deltas.index(AnswerWasThought())
        assert all(not d.sure for d in deltas[:at] if isinstance(d, AnswerDelta))
        assert all(d.sure for d in deltas[at:] if isinstance(d, AnswerDelta))
        assert deltas.count(AnswerWasThought()) == 1


@given(text=st.text("ab<", max_size=30), data=st.data())
def test_suspense_passes_all_but_what_may_be_the_end(text: str, data: st.DataObject) -> None:
    def only_bs(held: str) -> bool:
        return set(held[2:]) <= {"b"}

    suspense = Suspense(("<a",), only_bs)
    passed, rest = "", text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        passed += suspense.feed(rest[:size])
        rest = rest[size:]
    held = suspense.flush()
    assert passed + held == text
    assert held in ("", "<") or (held.startswith("<a") and only_bs(held))
    last = text.rfind("<a")
    assert held.startswith("<a") == (last >= 0 and only_bs(text[last:]))
