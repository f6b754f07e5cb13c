"""A chat that is steered: asked again, taken back, changed, kept."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import pytest

from qwq_gguf.chat.events import ChatEvent, Finished, Reply
from qwq_gguf.chat.messages import Message
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.errors import (
    ChainError,
    ModelError,
    OutputError,
    QwqGgufError,
    SourceError,
    ToolError,
    UsageError,
)
from qwq_gguf.jobs.chatting import Chat, settable
from qwq_gguf.jobs.wishes import Wishes, read_number, settle
from qwq_gguf.tools import as_tools, tool_names
from support.scripted import ScriptedModel, ScriptedSession

NO_WISHES = Wishes()


class Kept(Conversation):
    """One whose computed state is a word."""

    state = "computed"
    why: str | None = None
    refused: QwqGgufError | None = None

    def save_state(self, path: str | Path, *, force: bool = False) -> None:
        assert force or not Path(path).exists()
        said = [each.content for each in self.messages]
        Path(path).write_text(json.dumps([self.state, *said]))

    def load_state(self, path: str | Path) -> str | None:
        if self.refused is not None:
            raise self.refused
        state, *said = json.loads(Path(path).read_text())
        answers = itertools.cycle((False, True))
        self.resume(
            [
                Message("assistant" if answer else "user", text)
                for answer, text in zip(answers, said, strict=False)
            ]
        )
        self.state = f"loaded {state}"
        return self.why


def chat(
    replies: Sequence[str], wishes: Wishes = NO_WISHES, *, session: Path | None = None
) -> tuple[Chat, ScriptedSession]:
    model = ScriptedModel(name="QwQ Scripted")
    scripted = ScriptedSession(model, replies)
    conversation = Kept(
        cast(Model, model),
        settle(model.metadata, wishes).profile,
        session=cast(Session, scripted),
    )
    return Chat(conversation, wishes, session=session), scripted


def finish(events: Iterable[ChatEvent]) -> Reply:
    *_, last = events
    assert isinstance(last, Finished)
    return last.reply


def asked(chat: Chat) -> list[str]:
    return [each.content for each in chat.conversation.messages]


def test_another_answer_takes_the_place_of_the_first() -> None:
    steered, _ = chat(["</think>\n\nOne.", "</think>\n\nTwo.", "</think>\n\nThree."])
    finish(steered.ask("first"))
    finish(steered.ask("second"))
    assert finish(steered.regenerate()).answer == "Three."
    assert asked(steered) == ["first", "One.", "second", "Three."]


def test_no_other_answer_leaves_the_first() -> None:
    steered, _ = chat(["</think>\n\nOne.", "</think>\n\n"])
    finish(steered.ask("first"))
    assert finish(steered.regenerate()).answer == ""
    assert asked(steered) == ["first", "One."]
    assert steered.last_question == "first"


def test_a_question_without_an_answer_can_be_asked_again() -> None:
    steered, _ = chat(["</think>\n\n", "</think>\n\nYes."])
    finish(steered.ask("well?"))
    assert asked(steered) == []
    assert steered.last_question == "well?"
    assert finish(steered.regenerate()).answer == "Yes."
    assert asked(steered) == ["well?", "Yes."]


def test_what_is_taken_back_is_what_was_asked_last() -> None:
    steered, _ = chat(["</think>\n\nOne.", "</think>\n\n"])
    finish(steered.ask("first"))
    finish(steered.ask("no answer"))
    assert [steered.take_back(), steered.take_back()] == ["no answer", "first"]
    assert asked(steered) == []
    for nothing in (steered.take_back, lambda: finish(steered.regenerate())):
        with pytest.raises(UsageError, match="nothing was asked"):
            nothing()


def test_settings_are_changed_and_come_back() -> None:
    steered, session = chat(["</think>\n\nA"] * 3)
    usual = steered.settings()
    assert set(usual) <= set(settable())
    for name, text in (
        ("temperature", "0.25"),
        ("top_k", "7"),
        ("seed", "9"),
        ("max_tokens", "50"),
    ):
        steered.set(name, text)
        assert steered.settings()[name] == text
    steered.set("thought_budget", "12")
    assert steered.conversation.profile.governor.budget == 12
    assert finish(steered.ask("x")).seed == 9
    assert steered.conversation.profile.chain.settings()["temperature"] == 0.25
    assert session.options[-1]["max_tokens"] == 50
    for name in ("temperature", "top_k", "seed", "max_tokens", "thought_budget"):
        steered.set(name, "off")
    assert steered.settings() == usual


@pytest.mark.parametrize(
    ("name", "text", "error", "words"),
    [
        ("temperatur", "1", UsageError, "did you mean temperature"),
        ("grammar", "x", UsageError, "fixed when the chat begins"),
        ("top_k", "many", UsageError, "a number"),
        ("top_p", "7", ChainError, "top_p"),
        ("temperature", "nan", ChainError, "temperature"),
        ("dry_multiplier", "1", ChainError, "would do nothing"),
        ("seed", "-1", UsageError, "whole number"),
        ("seed", "9" * 5000, UsageError, "whole number"),
        ("max_tokens", "0", UsageError, "whole number"),
        ("thought_budget", "x", UsageError, "whole number"),
    ],
)
def test_what_cannot_be_set_changes_nothing(
    name: str, text: str, error: type[QwqGgufError], words: str
) -> None:
    steered, _ = chat([])
    before = steered.settings()
    with pytest.raises(error, match=words):
        steered.set(name, text)
    assert steered.settings() == before


def test_windows_have_words() -> None:
    assert read_number("penalty_window", "context") == "context"
    assert read_number("penalty_window", "64") == 64
    assert read_number("penalty_window", "off") is None


def test_thoughts_are_turned_off_and_on_and_off() -> None:
    steered, session = chat(["A", "t</think>\n\nB", "C"], Wishes(budget=0))
    assert finish(steered.ask("one")).thinking == ""
    steered.set_thinking(True)
    assert finish(steered.ask("two")).thinking == "t"
    said = steered.set_thinking(False)
    assert "no switch" in said
    assert finish(steered.ask("three")).thinking == ""
    assert session.prompts[1].endswith("<think>\n")


def test_a_system_prompt_and_tools_are_set_between_turns() -> None:
    steered, session = chat(["</think>\n\nA"] * 2)
    assert (steered.system, steered.tools) == (None, ())
    steered.set_system("Be brief.")
    steered.set_tools(["calculator"])
    finish(steered.ask("x"))
    assert "Be brief." in session.prompts[-1]
    assert "calculator" in session.prompts[-1]
    assert (steered.system, steered.tools) == ("Be brief.", ("calculator",))
    with pytest.raises(ToolError):
        steered.set_tools(["abacus"])
    assert steered.tools == ("calculator",)
    steered.set_system(None)
    assert steered.system is None


def test_tools_that_it_began_with_come_back() -> None:
    def shout(text: str) -> str:
        """Say it louder."""
        return text.upper()

    plain, session = chat(["</think>\n\nA"])
    steered = Chat(plain.conversation, NO_WISHES, tools=as_tools([shout]))
    assert steered.tool_names() == ("shout", *tool_names())
    steered.set_tools([])
    assert steered.tools == ()
    steered.set_tools(["calculator", "shout"])
    finish(steered.ask("x"))
    assert "Say it louder." in session.prompts[-1]
    assert "calculator" in session.prompts[-1]


def test_a_chat_is_saved_and_loaded(tmp_path: Path) -> None:
    steered, _ = chat(["hm</think>\n\nOne."])
    finish(steered.ask("first"))
    path = steered.save(tmp_path / "chat.json")
    with pytest.raises(OutputError):
        steered.save(path)
    other, session = chat(["</think>\n\nTwo."])
    assert other.load(path) == 1
    assert other.conversation.messages == steered.conversation.messages
    finish(other.ask("second"))
    assert "first" in session.prompts[-1]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[" * 10_000])
def test_what_is_no_chat_changes_nothing(content: bytes, tmp_path: Path) -> None:
    steered, _ = chat(["</think>\n\nOne."])
    finish(steered.ask("first"))
    path = tmp_path / "chat.json"
    path.write_bytes(content)
    for file in (path, tmp_path / "missing.json", tmp_path):
        with pytest.raises(SourceError):
            steered.load(file)
    assert asked(steered) == ["first", "One."]


def test_a_chat_is_exported_by_the_files_name(tmp_path: Path) -> None:
    steered, _ = chat(["hm</think>\n\nOne."])
    finish(steered.ask("first"))
    assert "> hm\n\nOne." in steered.export(tmp_path / "chat.md").read_text()
    line = json.loads(steered.export(tmp_path / "chat.jsonl").read_text())
    assert line["messages"][1]["reasoning_content"] == "hm"
    with pytest.raises(UsageError, match="the form"):
        steered.export(tmp_path / "chat.txt")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["chat.jsonl", "chat.md"]


def test_a_session_is_kept_with_every_reply_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "work.json"
    first, _ = chat(["</think>\n\nOne.", "</think>\n\nTwo."], session=path)
    first.go_on()
    assert first.notes == []
    finish(first.ask("first"))
    assert len(json.loads(path.read_text())["messages"]) == 2
    assert not path.with_name("work.json.state").exists()
    finish(first.ask("second"))
    first.keep(with_state=True)

    second, _ = chat(["</think>\n\nThree."], session=path)
    second.go_on()
    assert asked(second) == ["first", "One.", "second", "Two."]
    assert cast(Kept, second.conversation).state == "loaded computed"
    assert second.notes == [f"{path} goes on after 2 questions."]

    # Killed after one more reply: what was said is there, though the state is older.
    finish(second.ask("third"))
    third, _ = chat([], session=path)
    third.go_on()
    assert asked(third) == ["first", "One.", "second", "Two.", "third", "Three."]


@pytest.mark.parametrize("refused", [True, False])
def test_a_session_of_another_model_is_computed_anew(refused: bool, tmp_path: Path) -> None:
    path = tmp_path / "work.json"
    first, _ = chat(["</think>\n\nOne."], session=path)
    finish(first.ask("first"))
    first.keep(with_state=True)
    second, _ = chat(["</think>\n\nTwo."], session=path)
    kept = cast(Kept, second.conversation)
    if refused:
        kept.refused = ModelError("this state is another model's")
    else:
        kept.why = "this state is another model's"
    second.go_on()
    assert "computed anew: this state is another model's" in second.notes[0]
    finish(second.ask("second"))
    assert asked(second) == ["first", "One.", "second", "Two."]
