"""What a line of a chat means: a question, or a command out of one table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from qwq_gguf.words import did_you_mean

__all__ = [
    "COMMANDS",
    "HELP",
    "ChatCommand",
    "Command",
    "Question",
    "Refused",
    "Said",
    "completions",
    "help_on",
    "what_was_said",
]


@dataclass(frozen=True, slots=True)
class ChatCommand:
    """A command of the chat. `takes` is what follows its name, in brackets where it may be left
    out; `words` are what that may begin with, `file` whether it is a path.
    """

    name: str
    help: str
    takes: str = ""
    words: tuple[str, ...] = ()
    file: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def needs(self) -> bool:
        """Whether it cannot do without what follows."""
        return bool(self.takes) and not self.takes.startswith("[")


COMMANDS = (
    ChatCommand("/answer", "during a thought: close it and answer (so do Ctrl-C and Ctrl-T)"),
    ChatCommand("/regenerate", "another answer to the last question"),
    ChatCommand("/edit", "take the last question back, to change and send it"),
    ChatCommand("/undo", "forget the last question and its answer"),
    ChatCommand("/clear", "forget the conversation and start over"),
    ChatCommand("/save", "keep the chat in a file", "FILE", file=True),
    ChatCommand("/load", "go on with a chat that was saved", "FILE", file=True),
    ChatCommand("/export", "write it for others: chat.md or chat.jsonl", "FILE", file=True),
    ChatCommand("/set", "show settings, or change one (off: the default)", "[KEY VALUE]"),
    ChatCommand("/system", "show the system prompt, or set it (off: none)", "[TEXT]", ("off",)),
    ChatCommand("/think", "thoughts on or off", "[on|off]", ("on", "off")),
    ChatCommand("/tools", "what the model may call (off: nothing)", "[NAMES]", ("off",)),
    ChatCommand("/help", "this list, or one command", "[COMMAND]", aliases=("/", "/?")),
    ChatCommand("/bye", "leave (so does Ctrl-D)", aliases=("/exit", "/quit")),
)
_BY_NAME = {name: each for each in COMMANDS for name in (each.name, *each.aliases)}
_WIDTH = max(len(f"{each.name} {each.takes}") for each in COMMANDS) + 2

KEYS = """\
Ctrl-C    in a thought: answer now; then, or in an answer: stop
Alt-Enter starts a new line; so does a \\ at the end of one; \"\"\" begins and ends many
//...     sends a line that begins with a slash
What you type during a reply is sent after it, a line at a time."""

HELP = (
    "\n".join(f"{f'{each.name} {each.takes}'.ljust(_WIDTH)}{each.help}" for each in COMMANDS)
    + "\n\n"
    + KEYS
)


@dataclass(frozen=True, slots=True)
class Question:
    """A text for the model, empty when nothing was said."""

    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """One of COMMANDS by its name, and what follows it."""

    name: str
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that is neither, and why."""

    why: str


Said: TypeAlias = Question | Command | Refused


def what_was_said(text: str) -> Said:
    """A text that begins with a slash is a command and never sent. With two slashes, or behind
    a blank, it is a question.
    """
    if text.startswith("//"):
        return Question(text[1:].strip())
    if not text.startswith("/"):
        return Question(text.strip())
    name, rest = _split(text.strip())
    command = _BY_NAME.get(name)
    if command is None:
        return Refused(
            f"{_unknown(name)} Nothing was sent. A question that begins with a "
            "slash is written with two: //"
        )
    if rest and not command.takes:
        return Refused(f"{name} takes nothing behind it, and was not done.")
    if command.needs and not rest:
        return Refused(f"{name} needs what it is to work on: {command.name} {command.takes}")
    if rest and command.takes == "[on|off]" and rest not in command.words:
        return Refused(f"{command.name} takes {' or '.join(command.words)}, not {rest[:60]}.")
    return Command(command.name, rest)


def help_on(name: str) -> str:
    """A command's line of the list, or why there is none."""
    command = _BY_NAME.get(name) or _BY_NAME.get(f"/{name}")
    if command is None:
        return _unknown(name)
    also = f" (also {', '.join(command.aliases)})" if command.aliases else ""
    return f"{command.name} {command.takes}".rstrip() + f": {command.help}{also}"


Look: TypeAlias = Callable[[Literal["settings", "tools"]], Sequence[str]]


def completions(text: str, look: Look) -> tuple[str, list[str]]:
    """What the last word of `text` may become: that word as far as it is typed, and whole words.

    `look` names what only the running chat knows. Of paths this knows nothing.
    """
    if not text.startswith("/") or text.startswith("//") or "\n" in text:
        return "", []
    head, blank, rest = text.partition(" ")
    if not blank:
        names = [each.name for each in COMMANDS]
        return text, [name for name in names if name.startswith(text)]
    command = _BY_NAME.get(head)
    if command is None or command.file:
        return "", []
    *before, typed = rest.split(" ")
    words: Sequence[str] = command.words
    match command.name:
        case "/set":
            words = ("off",) if before else look("settings")
        case "/tools":
            words = (*look("tools"), *command.words)
        case "/help":
            words = [each.name for each in COMMANDS]
        case _ if before:
            words = ()
    if len(before) > 1:
        words = ()
    return typed, [word for word in words if word.startswith(typed)]


def _split(text: str) -> tuple[str, str]:
    parts = text.split(None, 1)
    return parts[0], parts[1] if len(parts) > 1 else ""


def _unknown(name: str) -> str:
    near = did_you_mean(name, [each.name for each in COMMANDS])
    return f"There is no {name[:60]}{f': {near}' if near else '. /help lists what there is.'}"
