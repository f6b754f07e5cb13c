"""The chat's commands, done: each a function from the chat and what follows its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from qwq_gguf.chat.events import ChatEvent
from qwq_gguf.cli.chatting.commands import HELP, help_on
from qwq_gguf.errors import UsageError
from qwq_gguf.words import count, one_line

if TYPE_CHECKING:
    from qwq_gguf.jobs.chatting import Chat

__all__ = ["ACTIONS", "Outcome", "obey"]

_OFF = ("off", "none")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command: words, a reply to be shown, a text to be edited, or the end."""

    said: str = ""
    events: Iterator[ChatEvent] | None = None
    edit: str | None = None
    leave: bool = False


def obey(chat: Chat, name: str, rest: str) -> Outcome:
    """Do one of the chat's commands. The errors of `Chat` say why it cannot be done."""
    return ACTIONS[name](chat, rest)


def _answer(chat: Chat, rest: str) -> Outcome:
    return Outcome("There is no thought to close: it is for a reply that is on its way.")


def _regenerate(chat: Chat, rest: str) -> Outcome:
    question = chat.last_question
    if question is None:
        raise UsageError("nothing was asked yet")
    return Outcome(f"again: {one_line(question, 200)}", events=chat.regenerate())


def _edit(chat: Chat, rest: str) -> Outcome:
    question = chat.take_back()
    return Outcome("The last question is taken back; change it and send it.", edit=question)


def _undo(chat: Chat, rest: str) -> Outcome:
    return Outcome(f"forgotten: {one_line(chat.take_back(), 200)}")


def _clear(chat: Chat, rest: str) -> Outcome:
    chat.clear()
    return Outcome("The conversation is forgotten.")


def _save(chat: Chat, rest: str) -> Outcome:
    path = chat.save(rest)
    return Outcome(f"{path}: the chat, for /load")


def _load(chat: Chat, rest: str) -> Outcome:
    return Outcome(f"The chat goes on after {count(chat.load(rest), 'question')}.")


def _export(chat: Chat, rest: str) -> Outcome:
    return Outcome(f"{chat.export(rest)}: the chat, to read")


def _set(chat: Chat, rest: str) -> Outcome:
    name, _, value = rest.partition(" ")
    if value.strip():
        chat.set(name, value.strip())
    settings = chat.settings()
    if not name:
        width = max(map(len, settings))
        return Outcome("\n".join(f"{key.ljust(width)}  {now}" for key, now in settings.items()))
    if name not in settings:
        chat.set(name, "off")  # says what is wrong with it
    return Outcome(f"{name}: {settings.get(name, 'off')}")


def _system(chat: Chat, rest: str) -> Outcome:
    if rest:
        chat.set_system(None if rest in _OFF else rest)
    return Outcome(f"system prompt: {chat.system}" if chat.system else "There is no system prompt.")


def _think(chat: Chat, rest: str) -> Outcome:
    note = chat.set_thinking(rest == "on") if rest else ""
    mode = chat.conversation.thoughts.mode
    how = "as the template has it" if mode is None else "on" if mode else "off"
    return Outcome(f"thoughts: {how}" + (f"\n{note}" if note else ""))


def _tools(chat: Chat, rest: str) -> Outcome:
    if rest:
        names = [] if rest in _OFF else rest.replace(",", " ").split()
        chat.set_tools(names)
    return Outcome(f"tools: {', '.join(chat.tools) or 'none'}")


def _help(chat: Chat, rest: str) -> Outcome:
    return Outcome(help_on(rest) if rest else HELP)


def _bye(chat: Chat, rest: str) -> Outcome:
    return Outcome(leave=True)


#: By name, one for each of `COMMANDS`; a test compares the two.
ACTIONS: Mapping[str, Callable[[Chat, str], Outcome]] = MappingProxyType(
    {
        "/answer": _answer,
        "/regenerate": _regenerate,
        "/edit": _edit,
        "/undo": _undo,
        "/clear": _clear,
        "/save": _save,
        "/load": _load,
        "/export": _export,
        "/set": _set,
        "/system": _system,
        "/think": _think,
        "/tools": _tools,
        "/help": _help,
        "/bye": _bye,
    }
)
