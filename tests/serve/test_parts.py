"""A reply's events as parts, whatever they are cut into."""

from __future__ import annotations

from qwq_gguf.chat.events import (
    AnswerDelta,
    AnswerWasThought,
    FinishReason,
    Note,
    Responded,
    Response,
    ResponseEvent,
    ThinkingDelta,
    ThoughtEnded,
)
from qwq_gguf.chat.messages import ToolCall
from qwq_gguf.serve.writing.parts import Called, Ended, Part, Parts, Said, Thought, Whole
from qwq_gguf.serve.writing.usage import chat_finish


def responded(
    *,
    calls: tuple[ToolCall, ...] = (),
    unread: tuple[str, ...] = (),
    written: str = "",
    reason: FinishReason = FinishReason.STOP,
) -> Responded:
    return Responded(
        Response("", "", written, calls, unread, 3, 2, 7, 1, 0.5, reason, ThoughtEnded.CLOSED)
    )


def parts(*events: ResponseEvent, one_call: bool = False) -> list[Part]:
    reader = Parts(lambda: "call_1", one_call=one_call)
    return [part for event in events for part in reader.feed(event)]


def test_blanks_around_it_all_are_left_out() -> None:
    told = parts(
        ThinkingDelta("\n"),
        ThinkingDelta(" hm "),
        ThinkingDelta("so\n\n"),
        AnswerDelta("\n\n"),
        AnswerDelta("a "),
        Note("something"),
        AnswerDelta(" b\n"),
        responded(),
    )
    assert told[:-1] == [Thought("hm"), Thought(" so"), Said("a"), Said("  b")]
    whole = Whole()
    for part in told:
        whole.add(part)
    assert (whole.thinking, whole.answer) == ("hm so", "a  b")
    assert chat_finish(whole.end) == "stop"


def test_an_answer_that_may_be_the_thought_waits() -> None:
    unsure = AnswerDelta("hm", sure=False)
    assert parts(unsure) == []
    assert parts(unsure, AnswerDelta(" ok")) == [Said("hm"), Said(" ok")]
    assert parts(unsure, AnswerWasThought(), AnswerDelta("b"))[:2] == [Thought("hm"), Said("b")]
    assert parts(unsure, responded())[0] == Said("hm")


def test_calls() -> None:
    calls = (ToolCall("f", {"x": "é"}), ToolCall("g"))
    told = parts(responded(calls=calls))
    assert told[:2] == [Called("call_1", "f", '{"x": "é"}'), Called("call_1", "g", "{}")]
    end = told[-1]
    assert isinstance(end, Ended)
    assert chat_finish(end) == "tool_calls"
    assert len(parts(responded(calls=calls), one_call=True)) == 2


def test_a_call_that_cannot_be_read_is_text() -> None:
    written = "Now:\n<tool_call>{broken"
    told = parts(AnswerDelta("Now:\n"), responded(unread=("broken",), written=written))
    assert "".join(part.text for part in told if isinstance(part, Said)) == written


def test_a_reply_that_was_cut_is_no_whole_answer() -> None:
    for reason in set(FinishReason) - {FinishReason.STOP}:
        (end,) = parts(responded(reason=reason))
        assert isinstance(end, Ended)
        assert chat_finish(end) == "length"
