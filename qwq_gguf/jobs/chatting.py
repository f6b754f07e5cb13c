"""A chat that a person steers: asks, asks again, takes back, changes, keeps.

All that happens between two turns is decided here; whoever has a screen shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.chat.events import Finished
from qwq_gguf.chat.transcript import (
    MOST_BYTES,
    Transcript,
    as_jsonl,
    as_markdown,
    read_transcript,
)
from qwq_gguf.errors import QwqGgufError, SourceError, UsageError
from qwq_gguf.files.reading import read_given, user_path
from qwq_gguf.files.writing import write_file
from qwq_gguf.jobs.wishes import OFF, Wishes, changeable, read_number, settle
from qwq_gguf.words import count

if TYPE_CHECKING:
    from qwq_gguf.chat.events import ChatEvent
    from qwq_gguf.engine.conversation import Conversation
    from qwq_gguf.tools import Tool

__all__ = ["Chat", "settable"]

# Beside the numbers of the chain.
_OWN = ("seed", "max_tokens", "thought_budget")
_MOST = 2**32 - 2


def settable() -> tuple[str, ...]:
    """What `Chat.set` knows by name."""
    return (*changeable(), *_OWN)


class Chat:
    """A conversation between whose turns a person may change everything.

    It remembers the last question, also one that got no answer, and asks it again.
    """

    def __init__(
        self,
        conversation: Conversation,
        wishes: Wishes,
        *,
        seed: int | None = None,
        tools: Sequence[Tool] = (),
        session: Path | None = None,
    ) -> None:
        """`session` is a file that keeps it; what it holds is taken up by `go_on`."""
        self.notes: list[str] = []
        self.conversation = conversation
        self.wishes = wishes
        self._given = {tool.spec.name: tool for tool in tools}
        self.tools = tuple(self._given)
        self._seed = seed
        self._session = session
        self._unanswered: str | None = None

    @property
    def last_question(self) -> str | None:
        """What was asked last, whether or not it was answered."""
        if self._unanswered is not None:
            return self._unanswered
        said = [each.content for each in self.conversation.messages if each.role == "user"]
        return said[-1] if said else None

    def ask(self, question: str) -> Iterator[ChatEvent]:
        """The reply as events; see `Conversation.stream`."""
        self._unanswered = question
        for event in self.conversation.stream(question):
            if isinstance(event, Finished) and event.reply.answer:
                self._unanswered = None
            yield event
        self.keep(with_state=False)

    def regenerate(self) -> Iterator[ChatEvent]:
        """Another answer to the last question in the place of the first, which stays if there is
        none. UsageError where nothing was asked.
        """
        before = self.conversation.messages
        question = self.take_back()
        answered = False
        try:
            for event in self.ask(question):
                answered = answered or (isinstance(event, Finished) and bool(event.reply.answer))
                yield event
        finally:
            if not answered:
                self.conversation.resume(before)
                self.keep(with_state=False)

    def take_back(self) -> str:
        """Forget the last question and its answer; the question. UsageError without one."""
        question = self._unanswered
        if question is None:
            question = self.conversation.undo()
        self._unanswered = None
        if question is None:
            raise UsageError("nothing was asked yet")
        return question

    def clear(self) -> None:
        """Forget all turns."""
        self.conversation.clear()
        self._unanswered = None

    # ------------------------------------------------------------ settings

    def settings(self) -> dict[str, str]:
        """What `/set` can change, by name, as people write it."""
        from qwq_gguf.sampling.chain import show

        profile = self.conversation.profile
        chain = profile.chain.settings()
        shown = {name: show(chain[name]) for name in changeable() if name in chain}
        own = (self._seed, self.conversation.max_tokens, profile.governor.budget)
        return shown | {
            name: "off" if value is None else str(value)
            for name, value in zip(_OWN, own, strict=True)
        }

    def set(self, name: str, text: str) -> None:
        """Change one of `settings` from the next turn on; `off` is the default.

        UsageError, ChainError and ProfileError say what is wrong; then all is as it was.
        """
        match name:
            case "seed":
                self._seed = _whole(name, text)
                self.conversation.set_seed(self._seed)
            case "max_tokens":
                self.conversation.max_tokens = _whole(name, text, least=1)
            case "thought_budget":
                self._follow(self.wishes.with_budget(_whole(name, text, least=-1)))
            case _:
                self._follow(self.wishes.with_setting(name, read_number(name, text)))

    def set_thinking(self, think: bool) -> str:
        """Thoughts on or off from the next turn on; what there is to know of it, or ""."""
        self._follow(self.wishes.with_thinking(think))
        return self.conversation.thoughts.note or ""

    def set_system(self, text: str | None) -> None:
        """Another system prompt, or none."""
        self.conversation.set_system(text)

    @property
    def system(self) -> str | None:
        """The system prompt."""
        first = self.conversation.messages[:1]
        return first[0].content if first and first[0].role == "system" else None

    def tool_names(self) -> tuple[str, ...]:
        """What `set_tools` knows by name."""
        from qwq_gguf.tools import tool_names

        return tuple(dict.fromkeys((*self._given, *tool_names())))

    def set_tools(self, names: Sequence[str]) -> None:
        """Other tools, by name, those among them that it began with. ToolError for an unknown
        one.
        """
        from qwq_gguf.tools import tools_named

        own = (self._given[name] for name in names if name in self._given)
        tools = (*own, *tools_named(name for name in names if name not in self._given))
        self.conversation.set_tools(tools)
        self.tools = tuple(tool.spec.name for tool in tools)

    def _follow(self, wishes: Wishes) -> None:
        settled = settle(self.conversation.model.metadata, wishes)
        self.conversation.set_profile(settled.profile, wishes.variables)
        self.wishes = wishes

    # --------------------------------------------------------------- files

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the chat so that `load` reads it back; the file. OutputError where it is taken."""
        path = user_path(path)
        conversation = self.conversation
        text = Transcript(conversation.model.name, conversation.messages).to_text()
        write_file(path, text, force=force)
        return path

    def load(self, path: str | Path) -> int:
        """Go on with a saved chat in the place of this one; its questions, counted. SourceError
        for a file that is none.
        """
        path = user_path(path)
        try:
            content = read_given(path, MOST_BYTES)
            if len(content) > MOST_BYTES:
                raise ValueError("it is larger than any chat")
            saved = read_transcript(content)
        except OSError as error:
            raise SourceError("this chat cannot be read", path=path, found=error.strerror) from None
        except ValueError as error:
            raise SourceError(
                "this is no saved chat", path=path, found=str(error), expected="a file of /save"
            ) from None
        self.conversation.resume(saved.messages)
        self._unanswered = None
        return sum(message.role == "user" for message in saved.messages)

    def export(self, path: str | Path) -> Path:
        """Write the chat for others, Markdown or JSONL by the file's name. UsageError for
        another name, OutputError where it is taken.
        """
        path = user_path(path)
        model, messages = self.conversation.model.name, self.conversation.messages
        match path.suffix.lower():
            case ".md" | ".markdown":
                text = as_markdown(model, messages)
            case ".jsonl":
                text = as_jsonl(messages)
            case _:
                raise UsageError(
                    "the name says the form", found=path.name, hint="chat.md, chat.jsonl"
                )
        write_file(path, text)
        return path

    # ------------------------------------------------------------- session

    def go_on(self) -> None:
        """Take up what the session's file holds, and what was computed of it, if that is of any
        use here; `notes` say what is. SourceError for a file that is no chat.
        """
        if self._session is None or not self._session.exists():
            return
        questions = self.load(self._session)
        said = self.conversation.messages
        state = state_of(self._session)
        if state.exists():
            try:
                why = self.conversation.load_state(state)
            except QwqGgufError as error:
                why = error.message
            if why:
                self.notes.append(f"what was said is computed anew: {why}")
            if self.conversation.messages != said:  # it is of an earlier time
                self.conversation.resume(said)
        self.notes.append(f"{self._session} goes on after {count(questions, 'question')}.")

    def keep(self, *, with_state: bool) -> None:
        """Write the session, if there is one: what was said, and beside it what was computed."""
        if self._session is None:
            return
        self.save(self._session, force=True)
        if with_state:
            self.conversation.save_state(state_of(self._session), force=True)


def state_of(session: Path) -> Path:
    """The file beside a session that holds its KV cache."""
    return session.with_name(session.name + ".state")


def _whole(name: str, text: str, *, least: int = 0) -> int | None:
    """The whole number that somebody typed, None for `off`. UsageError for anything else."""
    if text in OFF:
        return None
    if not text.lstrip("-").isdecimal() or len(text) > 10 or not least <= int(text) <= _MOST:
        raise UsageError(
            f"{name} is a whole number", found=text[:60], expected=f"{least} to {_MOST:,}, or off"
        )
    return int(text)
