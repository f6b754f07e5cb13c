"""The chat itself: one question, or a conversation at a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Literal

from qwq_gguf.chat.events import ChatEvent, Finished, FinishReason, Note, Reply, ThinkingDelta
from qwq_gguf.cli.chatting.commands import Question, Refused, what_was_said
from qwq_gguf.cli.chatting.obeying import Outcome, obey
from qwq_gguf.cli.chatting.prompt import edits_lines, entered
from qwq_gguf.cli.chatting.reply_lines import details_line, ending, stats_line
from qwq_gguf.cli.chatting.shown import SHOWN, ReplyView, Shown
from qwq_gguf.cli.terminal.interrupt import ctrl_c_stops
from qwq_gguf.cli.terminal.keys import heard_keys, quiet_keys
from qwq_gguf.cli.terminal.output import note
from qwq_gguf.cli.terminal.typing_ahead import Typing
from qwq_gguf.errors import PromptTooLongError, QwqGgufError

if TYPE_CHECKING:
    from qwq_gguf.engine.conversation import Conversation
    from qwq_gguf.jobs.chatting import Chat

__all__ = ["answer_one", "collect", "converse", "greeting", "talk"]


def greeting(conversation: Conversation) -> str:
    """The line a chat begins with."""
    model = conversation.model
    return f"{model.name}, context {model.context_size:,} tokens. /help lists the commands."


def answer_one(
    conversation: Conversation,
    events: Iterable[ChatEvent],
    view: ReplyView,
    *,
    shown: Shown = SHOWN,
    typing: Typing | None = None,
    attended: bool = True,
) -> Reply:
    """Show a reply as it comes, then what it cost.

    Ctrl-C in a thought makes it answer, else it stops it; unless somebody sits there
    (`attended`), it stops it at once. What is typed meanwhile goes to `typing`.
    """
    following = _Following(conversation, typing)
    steps = (following.answer_if_thinking, conversation.interrupt)
    with _listening(following, view), ctrl_c_stops(*(steps if attended else steps[1:])), view:
        for event in events:
            following.thinking = isinstance(event, ThinkingDelta)
            view.show(event)
            if isinstance(event, Finished):
                following.reply = event.reply
    reply = following.reply
    assert reply is not None, "a reply ends with Finished"
    if shown.notes:
        view.after(stats_line(reply, conversation.used_tokens, conversation.context_size))
    if shown.details:
        view.after(details_line(reply))
    if (why := ending(reply)) is not None:
        view.after(why)
    return reply


class _Following:
    """Where a reply is, for those who want to end its thought: a key, a typed line, Ctrl-C."""

    def __init__(self, conversation: Conversation, typing: Typing | None) -> None:
        self.conversation = conversation
        self.typing = typing
        self.thinking = False
        self.reply: Reply | None = None

    def answer_if_thinking(self) -> bool:
        """Close the thought; False where there is none."""
        if not self.thinking:
            return False
        self.conversation.answer_now()
        return True

    def hear(self, view: ReplyView, keys: bytes) -> None:
        """Take what was typed."""
        assert self.typing is not None
        pressed = self.typing.feed(keys)
        if self.typing.drop("/answer") or pressed:
            self.answer_if_thinking()
        view.typed(self.typing.waiting)


def _listening(following: _Following, view: ReplyView) -> AbstractContextManager[None]:
    heard = None if following.typing is None else partial(following.hear, view)
    return heard_keys(heard, view.tick)


def collect(conversation: Conversation, events: Iterable[ChatEvent]) -> Reply:
    """Wait for the whole reply; only notes are shown."""
    reply: Reply | None = None
    with ctrl_c_stops(conversation.interrupt):
        for event in events:
            match event:
                case Note(text=text):
                    note(text)
                case Finished(reply=reply):
                    pass
    assert reply is not None, "a reply ends with Finished"
    return reply


def talk(chat: Chat, view: ReplyView, shown: Shown) -> None:
    """Greet, and answer until somebody leaves."""
    from qwq_gguf.jobs.chatting import settable

    def look(what: Literal["settings", "tools"]) -> Sequence[str]:
        return settable() if what == "settings" else chat.tool_names()

    if shown.notes:
        view.after(greeting(chat.conversation))
    for line in chat.notes:
        view.after(line)
    typing = Typing()
    # Between two prompts, too: a Ctrl-D that the terminal takes for itself is lost.
    with quiet_keys(each=True) if edits_lines() else nullcontext():
        converse(chat, view, entered(typing, look), typing, shown=shown)


def converse(
    chat: Chat, view: ReplyView, texts: Iterator[str], typing: Typing, *, shown: Shown = SHOWN
) -> None:
    """Answer every text until there are no more, or one says /bye."""
    for text in texts:
        match what_was_said(text):
            case Question(text=question):
                events = chat.ask(question) if question else None
            case Refused(why=why):
                view.after(why)
                events = None
            case command:
                done = _obeyed(chat, command.name, command.rest)
                if done.leave:
                    return
                if done.said:
                    note(done.said)
                if done.edit is not None:
                    typing.line = done.edit
                events = done.events
                view.budget = chat.conversation.profile.governor.budget
        if events is not None:
            _answer(chat, events, view, typing, shown)


def _obeyed(chat: Chat, name: str, rest: str) -> Outcome:
    try:
        return obey(chat, name, rest)
    except QwqGgufError as error:
        return Outcome(f"error: {error}")


def _answer(
    chat: Chat, events: Iterator[ChatEvent], view: ReplyView, typing: Typing, shown: Shown
) -> None:
    try:
        reply = answer_one(chat.conversation, events, view, shown=shown, typing=typing)
        stopped = reply.finish_reason is FinishReason.INTERRUPTED
    except QwqGgufError as error:
        # A question that cannot be answered is no reason to lose the conversation.
        note(f"error: {error}")
        said = any(message.role == "user" for message in chat.conversation.messages)
        if isinstance(error, PromptTooLongError) and said:
            note("  or:       /clear, which forgets what was said so far")
        stopped = True
    # What was typed for another course of things is looked at before it is sent.
    typing.held = stopped and bool(typing.lines)
