"""What a line of a chat means: a question, or a command. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from qwq_gguf.words import did_you_mean

__all__ = ["COMMANDS", "Command", "Question", "what_was_said"]

COMMANDS = ("/clear", "/help", "/bye", "/exit", "/quit")
_HELP = ("/", "/?")


@dataclass(frozen=True, slots=True)
class Question:
    """A text for the model, empty when nothing was said."""

    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """One of COMMANDS, or None with the reason in `refused`."""

    name: str | None
    refused: str = ""


def what_was_said(line: str) -> Question | Command:
    """A line that begins with a slash is a command and never sent. With two slashes, or behind
    a blank, it is a question.
    """
    if line.startswith("//"):
        return Question(line[1:].strip())
    if not line.startswith("/"):
        return Question(line.strip())
    name, _, more = line.strip().partition(" ")
    name = name.split("\n")[0]
    if name in _HELP and not more:
        return Command("/help")
    if name not in COMMANDS:
        return Command(
            None,
            f"{_unknown(name)} Nothing was sent. A question that begins with a "
            "slash is written with two: //",
        )
    if more.strip() or "\n" in line.strip():
        return Command(None, f"{name} takes nothing behind it, and was not done.")
    return Command(name)


def _unknown(name: str) -> str:
    near = did_you_mean(name, COMMANDS)
    return f"There is no {name[:60]}{f': {near}' if near else '. /help lists what there is.'}"
