"""How replies look on a terminal and in a pipe, and that they cannot do it harm."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from rich.theme import Theme

from qwq_gguf.chat.events import (
    AnswerDelta,
    AnswerWasThought,
    ChatEvent,
    Finished,
    FinishReason,
    Note,
    Reply,
    ThinkingDelta,
    ThoughtEnded,
    ToolCallStarted,
    ToolResult,
)
from qwq_gguf.chat.messages import ToolCall
from qwq_gguf.cli.chatting.plain import PlainView
from qwq_gguf.cli.chatting.reply_lines import (
    call_line,
    details_line,
    ending,
    progress_line,
    stats_line,
)
from qwq_gguf.cli.chatting.shown import SHOWN, Shown
from qwq_gguf.cli.chatting.view import TerminalView
from qwq_gguf.cli.terminal.styles import STYLES

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


def plain(*events: ChatEvent, shown: Shown = SHOWN, titles: bool = False) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    with PlainView(out, err, shown=shown, titles=titles) as view:
        for event in events:
            view.show(event)
    return out.getvalue(), err.getvalue()


def terminal(*events: ChatEvent, live: bool = False, width: int = 40, shown: Shown = SHOWN) -> str:
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
        theme=Theme(STYLES),
    )
    with TerminalView(console, live=live, shown=shown) as view:
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
    assert "\x1b[2m  I need the product.\x1b[0m" in shown
    assert "\x1b[1mIt\x1b[0m is \x1b[1m122112726\x1b[0m" in shown
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
    view.show(Note(said))
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
        ((Note("so"),), "so\n"),
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
        Note(HOSTILE),
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
    assert settled.split("\n")[:100] == [f"line {n}" for n in range(100)]


def test_code_is_printed_as_it_was_written() -> None:
    """No blank in front, no line broken, whatever the width: what is copied works."""
    long = "x = " + " + ".join(map(str, range(40)))
    code = f"Do this:\n```python\ndef f():\n    return 1\n\n{long}\n```\nand that."
    for live in (False, True):
        shown = ANSI.sub("", terminal(*(AnswerDelta(c) for c in code), live=live, width=30))
        assert f"\ndef f():\n    return 1\n\n{long}\n\nand that." in shown


def test_code_in_a_list_loses_only_the_lists_margin() -> None:
    text = "1. First\n   ```sh\n   ls\n     deep\n   ```\n   then more\n2. Second"
    shown = ANSI.sub("", terminal(AnswerDelta(text)))
    assert "\nls\n  deep\n" in shown
    assert "\nthen more" in shown
    assert "\n 2 Second" in shown


def test_formulas_are_text_and_nothing_is_lost_in_a_pipe() -> None:
    said = AnswerDelta(r"So \(x^2 \le \frac{1}{2}\), hence \boxed{7}.")
    assert "So x² ≤ 1/2, hence 7." in ANSI.sub("", terminal(said))
    assert plain(said)[0] == r"So \(x^2 \le \frac{1}{2}\), hence \boxed{7}." + "\n"


COLOURS = re.compile(r"\x1b\[([0-9;]*)m")


def test_no_colour_is_lost_on_a_light_terminal() -> None:
    """No background, no white, yellow or bright colour: those are the ones that vanish."""
    text = (
        "# Head\n\n- `code` and **bold**\n- [a](https://b.example)\n\n> quote\n\n---\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\n@d\nclass A:  # why\n    x = 'a' + 1\n```\n"
    )
    shown = terminal(ThinkingDelta("Hm."), AnswerDelta(text), Note("so"), ToolCallStarted(CALL))
    used = {int(each) for code in COLOURS.findall(shown) for each in code.split(";") if each}
    assert used <= {0, 1, 2, 3, 4, 31, 32, 34, 35, 36}


def test_a_live_terminal_says_how_far_a_thought_is() -> None:
    shown = ANSI.sub("", terminal(ThinkingDelta("Let me see."), live=True, width=60))
    assert "thinking: 1 token · Ctrl-C answers now" in shown
    whole = "thinking: 143 tokens · 143 tok/s · 1,857 left · Ctrl-C answers now"
    assert progress_line(143, 1.0, 2000, 80) == whole
    for room in range(20, 80):
        line = progress_line(143, 1.0, 2000, room)
        assert len(line) <= room
        assert whole.startswith(line)
        assert line == whole or whole[len(line) :].startswith(" · "), "no word is cut"


def test_a_reply_that_lets_wait_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first tokens of a large model may take long."""
    monkeypatch.setattr("qwq_gguf.cli.chatting.view._PATIENCE", 0)
    screen = io.StringIO()
    with TerminalView(Console(file=screen, force_terminal=True, width=40, height=20)) as view:
        view.tick()
        assert "reading" in screen.getvalue()
        view.reading(512, 2048)
        assert "reading 25 % of 2,048 tokens" in screen.getvalue()
        view.show(AnswerDelta("It is."))
    assert ANSI.sub("", screen.getvalue()).splitlines()[-2].endswith("It is.")


@pytest.mark.parametrize("live", [True, False])
def test_hidden_thoughts_are_not_shown(live: bool) -> None:
    hidden = Shown(thoughts=False)
    assert "secret" not in terminal(ThinkingDelta("secret\nplan"), live=live, shown=hidden)
    assert plain(ThinkingDelta("secret"), AnswerDelta("a"), shown=hidden) == ("a\n", "")
    thought = (*unsure("secret"), AnswerWasThought(), AnswerDelta("a"))
    assert plain(*thought, shown=hidden) == ("a\n", "")


def test_quiet_is_the_answer_alone() -> None:
    assert plain(*TURN, shown=Shown(thoughts=False, notes=False))[1] == ""


def test_a_terminal_that_draws_nothing_says_which_is_which() -> None:
    out, err = plain(ThinkingDelta("hm"), AnswerDelta("301"), titles=True)
    assert (out, err) == ("301\n", "thought:\nhm\nanswer:\n")


class Screen:
    """What a terminal that wraps and reflows its lines would show of the bytes."""

    def __init__(self, width: int) -> None:
        self.width, self.lines, self.row = width, [""], 0

    def rows(self) -> list[str]:
        return [
            line[at : at + self.width] or ""
            for line in self.lines
            for at in range(0, max(len(line), 1), self.width)
        ]

    def write(self, text: str) -> None:
        for part in re.findall(r"\x1b\[\??(\d*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)", text):
            number, letter, control, words = part
            if letter == "A":
                rows = self.rows()
                self.lines = rows
                self.row = len(rows) - 1 - int(number or 1)
            elif letter == "J":
                del self.lines[max(self.row, 0) :]
                self.lines.append("")
                self.row = len(self.lines) - 1
            elif control == "\n":
                self.lines.append("")
                self.row = len(self.lines) - 1
            elif control == "\r" and not letter:
                self.row = len(self.lines) - 1
            elif words:
                self.lines[-1] += words


def test_a_resize_leaves_nothing_behind() -> None:
    sink = io.StringIO()
    console = Console(file=sink, force_terminal=True, color_system=None, width=60, height=20)
    screen = Screen(60)
    with TerminalView(console) as view:
        words = [f"word{n}" for n in range(40)]
        for number, word in enumerate(words):
            view.show(ThinkingDelta(f" {word}"))
            view.typed("half a line")
            if number in (12, 25):
                screen.write(sink.getvalue())
                sink.seek(0)
                sink.truncate()
                console.width = screen.width = 33 if number == 12 else 80
                view.tick()
        view.show(AnswerDelta("Done."))
    screen.write(sink.getvalue())
    # Where the terminal itself breaks lines is its affair.
    assert "".join("".join(screen.lines).split()) == "".join([*words, "Done."])


def test_stats() -> None:
    assert stats_line(reply(), 25, 4096) == (
        "thought 4 tokens, answered 1 · 85.2 tok/s · context 1 % of 4,096"
    )
    assert stats_line(reply(thinking="", thinking_tokens=0), 25, 4096).startswith(
        "answered 1 token · "
    )
    assert stats_line(reply(thought_ended=ThoughtEnded.BUDGET), 25, 4096).startswith(
        "thought 4 tokens (ended: budget), answered 1 · "
    )
    assert "seed 1 · finished: stop · thought: closed" in details_line(reply())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"finish_reason": FinishReason.LENGTH}, "limit of tokens"),
        ({"finish_reason": FinishReason.CONTEXT, "answer": ""}, "in the middle of the thought"),
        ({"finish_reason": FinishReason.CONTEXT}, "context is full"),
        ({"finish_reason": FinishReason.INTERRUPTED}, "Interrupted"),
        ({"finish_reason": FinishReason.TOOL_LIMIT}, "calling tools"),
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
