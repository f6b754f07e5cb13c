"""The chat itself: one question, or a conversation at a prompt."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from qwq_gguf.chat.events import Finished, Notice, Reply
from qwq_gguf.cli.chatting.remarks import ending, stats_line
from qwq_gguf.cli.chatting.said import Command, Question, what_was_said
from qwq_gguf.cli.chatting.view import ReplyView
from qwq_gguf.cli.terminal.interrupt import ctrl_c_stops
from qwq_gguf.cli.terminal.keys import kept_terminal, quiet_keys, typed_ahead
from qwq_gguf.cli.terminal.output import note
from qwq_gguf.errors import PromptTooLongError, QwqGgufError

if TYPE_CHECKING:
    from qwq_gguf.engine.conversation import Conversation

__all__ = ["HELP", "answer_one", "collect", "converse", "greeting", "questions"]

HELP = """\
/clear    forget the conversation and start over
/help     this list
/bye      leave (so does Ctrl-D)
Ctrl-C    stop the reply
Alt-Enter starts a new line; Enter sends
//...     send a line that begins with a slash (/..., or a blank before it)
What you type during a reply is there to be sent after it."""


def greeting(conversation: Conversation) -> str:
    """The line a chat begins with."""
    model = conversation.model
    return f"{model.name}, context {model.context_size:,} tokens. /help lists the commands."


def answer_one(conversation: Conversation, question: str, view: ReplyView) -> Reply:
    """Ask and show the reply as it comes, then what it cost."""
    reply: Reply | None = None
    with quiet_keys(), ctrl_c_stops(conversation.interrupt), view:
        for event in conversation.stream(question):
            view.show(event)
            if isinstance(event, Finished):
                reply = event.reply
    assert reply is not None, "a reply ends with Finished"
    view.after(stats_line(reply, conversation.used_tokens, conversation.context_size))
    if (why := ending(reply)) is not None:
        view.after(why)
    return reply


def collect(conversation: Conversation, question: str) -> Reply:
    """Ask and wait for the reply; only notices are shown."""
    reply: Reply | None = None
    with ctrl_c_stops(conversation.interrupt):
        for event in conversation.stream(question):
            match event:
                case Notice(text=text):
                    note(text)
                case Finished(reply=reply):
                    pass
    assert reply is not None, "a reply ends with Finished"
    return reply


def converse(conversation: Conversation, view: ReplyView, lines: Iterator[str]) -> None:
    """Answer every line until there are no more, or one says /bye."""
    for line in lines:
        match what_was_said(line):
            case Command(name="/bye" | "/exit" | "/quit"):
                return
            case Command() as command:
                _obey(command, conversation, view)
            case Question(text) if text:
                _answer(conversation, text, view)


def _answer(conversation: Conversation, question: str, view: ReplyView) -> None:
    try:
        answer_one(conversation, question, view)
    except QwqGgufError as error:
        # A question that cannot be answered is no reason to lose the conversation.
        note(f"error: {error}")
        said = any(message.role == "user" for message in conversation.messages)
        if isinstance(error, PromptTooLongError) and said:
            note("  or:       /clear, which forgets what was said so far")


def _obey(command: Command, conversation: Conversation, view: ReplyView) -> None:
    match command.name:
        case "/clear":
            conversation.clear()
            note("The conversation is forgotten.")
        case "/help":
            note(HELP)
        case _:
            view.after(command.refused)


def questions() -> Iterator[str]:
    """Lines to answer: edited at a prompt on a terminal, else as they come from stdin."""
    if sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        yield from _edited_lines()
        return
    asking = sys.stdin.isatty()
    while True:
        if asking:
            print(">>> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        yield line


def _edited_lines() -> Iterator[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.formatted_text import FormattedText
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    keys = KeyBindings()

    @keys.add("escape", "enter")
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    path = _history_file()
    history: History = InMemoryHistory() if path is None else FileHistory(path)
    session: PromptSession[str] = PromptSession(history=history, key_bindings=keys)
    prompt = FormattedText([("bold ansigreen", ">>> ")])
    hinted = False
    while True:
        try:
            with kept_terminal():
                line = session.prompt(prompt, default=typed_ahead(), prompt_continuation="... ")
            yield line
        except KeyboardInterrupt:
            # As in a shell: the line is dropped. Once, say how to leave.
            if not hinted:
                note("(Ctrl-D or /bye leaves)")
            hinted = True
        except EOFError:
            return


def _history_file() -> str | None:
    """Where typed lines are kept, readable by their owner only; None where that fails."""
    from qwq_gguf.engine.loading.fact_cache import cache_folder

    path = cache_folder() / "chat-history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Through no link: one to /dev/null, say, means that nothing is to be kept.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        opened = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o600)
        try:
            ordinary = stat.S_ISREG(os.fstat(opened).st_mode)
        finally:
            os.close(opened)
    except OSError:
        return None
    return str(path) if ordinary else None
