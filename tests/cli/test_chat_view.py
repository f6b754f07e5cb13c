"""How replies look on a terminal and in a pipe, and that they cannot do it harm."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from qwq_gguf.chat.events import (
    AnswerDelta,
    AnswerWasThought,
    ChatEvent,
    Finished,
    FinishReason,
    Notice,
    Reply,
    ThinkingDelta,
    ThoughtEnded,
    ToolCallStarted,
    ToolResult,
)
from qwq_gguf.chat.messages import ToolCall
from qwq_gguf.cli.chatting.remarks import call_line, ending, stats_line
from qwq_gguf.cli.chatting.view import PlainView, TerminalView

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CALL = ToolCall("calculator", {"expression": "3394*35979"})


def reply(**changes: object) -> Reply:
    fields: dict[str, object] = {
        "thinking": "7*43",
        "answer": "301",
        "thinking_tokens": 4,
        "answer_tokens": 1,
        "prompt_tokens": 20,
        "finish_reason": FinishReason.STOP,
        "thought_ended": ThoughtEnded.CLOSED,
        "seed": 1,
        "tokens_per_second": 85.25,
    }
    return Reply(**(fields | changes))  # type: ignore[arg-type]


def plain(*events: ChatEvent) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    with PlainView(out, err) as view:
        for event in events:
            view.show(event)
    return out.getvalue(), err.getvalue()


def terminal(*events: ChatEvent, live: bool = False, width: int = 40) -> str:
    screen = io.StringIO()
    console = Console(
        file=screen,
        force_terminal=True,
        color_system="standard",
        width=width,
        height=20,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    with TerminalView(console, live=live) as view:
        for event in events:
            view.show(event)
    return screen.getvalue()


TURN = (
    ThinkingDelta("I need the product"),
    ThinkingDelta(".\n3394"),
    ToolCallStarted(CALL),
    ToolResult(CALL, "122112726"),
    ThinkingDelta("That is it."),
    AnswerDelta("**It** is"),
    AnswerDelta(" \\boxed{122112726}"),
    Finished(reply()),
)


def test_a_pipe_gets_the_answer_and_stderr_the_rest() -> None:
    out, err = plain(*TURN)
    assert out == "**It** is \\boxed{122112726}\n"
    assert err == (
        "I need the product.\n3394\ncalculator(expression=3394*35979)\n  = 122112726\nThat is it.\n"
    )


def test_a_terminal_dims_the_thought_and_renders_the_answer() -> None:
    shown = terminal(*TURN)
    assert "\x1b[2m  I need the\x1b[0m" in shown
    assert "\x1b[1mIt\x1b[0m is \\boxed{122112726}" in shown
    text = ANSI.sub("", shown)
    assert text.index("= 122112726") < text.index("  That is it.")


def test_a_live_terminal_ends_with_the_same_text() -> None:
    shown = terminal(*TURN, live=True)
    last = ANSI.sub("", shown).rstrip().splitlines()[-1]
    assert last == ANSI.sub("", terminal(*TURN)).rstrip().splitlines()[-1]
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h"), "the cursor comes back"


def test_what_is_said_of_a_reply_breaks_between_words() -> None:
    screen = io.StringIO()
    view = TerminalView(Console(file=screen, force_terminal=True, width=30, height=20))
    said = "thought 33 tokens, answered 17 · 810.7 tok/s · context 2 % of 4,096"
    view.after(said)
    view.show(Notice(said))
    lines = ANSI.sub("", screen.getvalue()).splitlines()
    assert max(map(len, lines)) <= 30
    assert [word for line in lines for word in line.split()] == said.split() * 2


def unsure(*texts: str) -> tuple[ChatEvent, ...]:
    return tuple(AnswerDelta(text, sure=False) for text in texts)


def test_a_pipe_gets_no_thought_that_looked_like_an_answer() -> None:
    thought = unsure("two and ", "three")
    answer = (AnswerDelta("It is "), AnswerDelta("5."), Finished(reply()))
    assert plain(*thought, AnswerWasThought(), *answer) == ("It is 5.\n", "two and three\n")
    assert plain(*thought, AnswerWasThought()) == ("", "two and three\n")


@pytest.mark.parametrize(
    "following, err",
    [
        ((), ""),
        ((Finished(reply()),), ""),
        ((AnswerDelta(""),), ""),
        ((ThinkingDelta("hm"),), "hm\n"),
        ((Notice("so"),), "so\n"),
    ],
)
def test_a_pipe_gets_what_was_an_answer_after_all(
    following: tuple[ChatEvent, ...], err: str
) -> None:
    assert plain(*unsure("It is", " 5."), *following) == ("It is 5.\n", err)


@pytest.mark.parametrize("live", [True, False])
def test_a_terminal_dims_what_was_shown_as_answer_and_says_where_the_answer_begins(
    live: bool,
) -> None:
    short = terminal(*unsure("two"), AnswerWasThought(), AnswerDelta("It is 5."), live=live)
    assert "\x1b[2m  two" in short
    assert "that was the thought" not in short
    long = terminal(
        *unsure("One.\n\n", "Two.\n\n", "three"),
        AnswerWasThought(),
        AnswerDelta("It is 5."),
        live=live,
    )
    text = ANSI.sub("", long)
    assert text.count("One.") >= 1
    assert "\x1b[2m  three" in long
    assert text.index("that was the thought") < text.index("It is 5.")
    assert "that was the thought" not in terminal(*unsure("One.\n\nTwo."), live=live)


def test_a_reply_cut_off_by_an_error_leaves_the_terminal_tidy() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=40, height=20)
    view = TerminalView(console)

    def cut_off() -> None:
        with view:
            view.show(AnswerDelta("half an ans"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cut_off()
    shown = screen.getvalue()
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h")
    assert "half an ans" in shown.splitlines()[-2] + shown.splitlines()[-1]


HOSTILE = "\x1b]52;c;AAAA\x07\x9b2J\x1b[8m"


@pytest.mark.parametrize(
    "event",
    [
        ThinkingDelta(HOSTILE),
        AnswerDelta(HOSTILE),
        Notice(HOSTILE),
        ToolCallStarted(ToolCall(HOSTILE, {HOSTILE: HOSTILE})),
        ToolResult(CALL, HOSTILE),
    ],
    ids=lambda event: type(event).__name__,
)
def test_a_model_cannot_drive_the_terminal(event: ChatEvent) -> None:
    for text in (*plain(event), terminal(event), terminal(event, live=True)):
        for control in ("\x1b]", "\x07", "\x9b", "\x1b[8m", "\x1b[2J"):
            assert control not in text


def test_rich_markup_in_a_reply_is_text() -> None:
    shown = terminal(ThinkingDelta("[bold red]a[/] :smile:"), AnswerDelta("[link=x]b[/link] [1]"))
    assert "[bold red]a[/]" in shown
    assert ":smile:" in shown
    assert "[link=x]b[/link] [1]" in shown


def test_a_links_address_is_visible() -> None:
    shown = terminal(AnswerDelta("[bank](https://evil.example)"), width=80)
    assert "https://evil.example" in shown
    assert "\x1b]8;" not in shown


def test_an_answer_longer_than_the_screen_is_whole() -> None:
    code = "```\n" + "\n".join(f"line {n}" for n in range(100)) + "\n```"
    shown = terminal(*(AnswerDelta(c) for c in code), Finished(reply()), live=True)
    settled = shown[shown.rindex("line 0") :]
    assert all(f"line {n} " in settled for n in range(100))


def test_stats() -> None:
    assert stats_line(reply(), 25, 4096) == (
        "thought 4 tokens, answered 1 · 85.2 tok/s · context 1 % of 4,096"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"finish_reason": FinishReason.LENGTH}, "limit of tokens"),
        ({"finish_reason": FinishReason.CONTEXT, "answer": ""}, "in the middle of the thought"),
        ({"finish_reason": FinishReason.CONTEXT}, "context is full"),
        ({"finish_reason": FinishReason.INTERRUPTED}, "Interrupted"),
        ({"finish_reason": FinishReason.TOOL_LIMIT}, "tool calls"),
        ({"answer": ""}, "without an answer"),
    ],
)
def test_endings(changes: dict[str, object], words: str | None) -> None:
    said = ending(reply(**changes))
    assert (said is None) if words is None else (said is not None and words in said)


def test_call_lines_are_one_bounded_line() -> None:
    shown = call_line(ToolCallStarted(ToolCall("f", {"x": "a\nb" * 100_000})))
    assert len(shown) <= 200
    assert "\n" not in shown
    assert call_line(ToolResult(CALL, "error: division by zero", failed=True)) == (
        "  failed: error: division by zero"
    )
