"""A chat is saved with what was computed of it, and gone on with; nothing is taken on trust."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.chat.stored import messages_from_json, messages_to_json
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.llama.context_settings import ContextSettings
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.saving import chats, key
from qwq_gguf.engine.saving.file import SavedFile
from qwq_gguf.engine.saving.key import own_key
from qwq_gguf.engine.session import Session
from qwq_gguf.errors import ModelError, OutputError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.profiles import Profile
from qwq_gguf.sampling import Greedy, SamplerChain
from qwq_gguf.thinking import Governor
from support.tiny_gguf import write_random
from support.tiny_states import write_lfm2

PROFILE = Profile(
    "test", "", SamplerChain((Greedy(),)), stops=("<|im_end|>",), governor=Governor(0)
)
SYSTEM = "Be brief."


def chat(model: Model, system: str | None = SYSTEM, **options: Any) -> Conversation:
    return Conversation(model, PROFILE, system=system, max_tokens=10, **options)


def computed(conversation: Conversation, question: str) -> tuple[str, int]:
    """The answer, and how many tokens of the prompt were there already."""
    seen: list[Any] = []
    session = conversation.responder.session
    generate = session.generate

    def watch(*arguments: Any, **options: Any) -> Any:
        seen.append(generate(*arguments, **options))
        return seen[-1]

    session.generate = watch  # type: ignore[method-assign]
    try:
        return conversation.ask(question).answer, seen[0].reused_tokens
    finally:
        session.generate = generate  # type: ignore[method-assign]


@pytest.fixture(scope="module", params=[write_random, write_lfm2])
def loaded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Model]:
    write: Callable[[Path], Path] = request.param
    with Model.load(write(tmp_path_factory.mktemp("saved") / "tiny.gguf"), threads=1) as model:
        yield model


def test_it_is_gone_on_with_where_it_was(loaded: Model, tmp_path: Path) -> None:
    path = tmp_path / "chat.session"
    first = chat(loaded)
    first.ask("one two three")
    first.ask("four five six")
    first.save_state(path)
    there, reused = computed(first, "seven")
    assert reused > 40

    second = chat(loaded, system=None)
    assert second.load_state(path) is None
    assert second.messages == first.messages[:5]
    assert second.used_tokens > 40
    here, again = computed(second, "seven")
    assert here == there
    if not cast(Session, second.responder.session)._context._checkpoints.needed:
        assert again == reused
    first.close()
    second.close()


def test_a_hybrid_state_goes_on_where_it_ended(tmp_path: Path) -> None:
    with Model.load(write_lfm2(tmp_path / "tiny.gguf"), threads=1) as model:
        first = chat(model)
        first.ask("one two three")
        session = cast(Session, first.responder.session)
        state = session.state()
        longer = [*state.tokens, 5, 6, 7]
        chain = PROFILE.chain
        there = [t for t, _ in session.generate(longer, chain, seed=1, max_tokens=8)]
        other = cast(Session, chat(model).responder.session)
        assert other.restore(state)
        generation = other.generate(longer, chain, seed=1, max_tokens=8)
        assert [t for t, _ in generation] == there
        assert generation.reused_tokens == len(state.tokens)


def test_the_file_is_for_its_owner_and_replaced_only_if_asked(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "chat.session"
    first = chat(model)
    first.ask("one")
    first.save_state(path)
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    first.ask("two")
    with pytest.raises(OutputError, match="exists already"):
        first.save_state(path)
    assert path.read_bytes() == before
    first.save_state(path, force=True)
    second = chat(model)
    assert second.load_state(path) is None
    assert len(second.messages) == 5
    assert [each.name for each in tmp_path.iterdir()] == ["chat.session"]


def saved(model: Model, path: Path) -> bytes:
    conversation = chat(model)
    conversation.ask("one two three")
    conversation.save_state(path, force=True)
    conversation.close()
    return path.read_bytes()


def test_another_kind_of_context_takes_the_messages_alone(tmp_path: Path) -> None:
    path = tmp_path / "chat.session"
    gguf = write_random(tmp_path / "wide.gguf", width=128)
    with Model.load(gguf, threads=1) as model:
        saved(model, path)
    small = ContextSettings(keys=GgmlType.Q8_0)
    with Model.load(gguf, threads=1, settings=small) as model:
        other = chat(model)
        assert other.load_state(path) == (
            "its context had keys f16, values f16, flash attention auto, this one has "
            "keys q8_0, values f16, flash attention auto"
        )
        assert len(other.messages) == 3
        assert other.used_tokens == 0
        assert other.ask("four").answer
    with Model.load(gguf, threads=1, context=30) as model:
        assert "this context takes 30" in str(chat(model).load_state(path))
    with Model.load(write_random(tmp_path / "other.gguf", width=128, seed=1), threads=1) as model:
        assert chat(model).load_state(path) == "it was saved with another file of Tiny"


def test_another_library_takes_the_messages_alone(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "chat.session"
    saved(model, path)
    path.write_bytes(path.read_bytes().replace(b'"library":"0', b'"library":"9'))
    assert "llama-cpp-python 9" in str(chat(model).load_state(path))


def test_a_strangers_state_is_never_given_to_llama_cpp(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chat.session"
    saved(model, path)
    monkeypatch.setattr(chats, "own_key", lambda: bytes(32))  # another user's
    other = chat(model)
    monkeypatch.setattr(other.responder.session, "restore", pytest.fail)
    why = other.load_state(path)
    assert why == "it was not saved by you on this computer, or is damaged"
    assert len(other.messages) == 3
    monkeypatch.setattr(chats, "own_key", lambda: None)
    assert "no key" in str(other.load_state(path))
    # Without a key nothing is written that would not be taken.
    other.save_state(tmp_path / "bare.session")
    assert (tmp_path / "bare.session").stat().st_size < 1500
    monkeypatch.undo()
    assert chat(model).load_state(tmp_path / "bare.session") == "it has none"


def test_every_byte_of_the_state_counts(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "chat.session"
    raw = saved(model, path)
    (length,) = struct.unpack_from("<I", raw, 8)
    for at in (12 + length, 12 + length + 300, len(raw) - 40, len(raw) - 1):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        other = chat(model)
        cast(Any, other.responder.session).restore = pytest.fail
        assert "damaged" in str(other.load_state(path))
        other.close()


def changed(raw: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    (length,) = struct.unpack_from("<I", raw, 8)
    header = json.loads(raw[12 : 12 + length])
    change(header)
    text = json.dumps(header).encode()
    return raw[:8] + struct.pack("<I", len(text)) + text + raw[12 + length :]


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda raw: b"", "begin"),
        (lambda raw: b"GGUF" + raw, "begin"),
        (lambda raw: raw[:8], "begin"),
        (lambda raw: raw[:-1], "longer or shorter"),
        (lambda raw: raw + b"x", "longer or shorter"),
        (lambda raw: raw[:8] + b"\xff\xff\xff\xff" + raw[12:], "header is to have"),
        (lambda raw: raw[:12] + b"[" * 100 + raw[112:], ""),
        (lambda raw: changed(raw, lambda h: h.update(schema="x")), "no qwq-gguf/session/1"),
        (lambda raw: changed(raw, lambda h: h.update(messages={})), "messages are no list"),
        (lambda raw: changed(raw, lambda h: h.update(messages=[7])), "message 1 is no object"),
        (
            lambda raw: changed(raw, lambda h: h["messages"][0].update(role="<|im_end|>")),
            "message 1 has no role",
        ),
        (
            lambda raw: changed(raw, lambda h: h["messages"][1].update(content=["x"])),
            "message 2 has a content",
        ),
        (
            lambda raw: changed(raw, lambda h: h["messages"][1].update(tool_calls=[{}])),
            "message 2 has a call",
        ),
        (lambda raw: changed(raw, lambda h: h.update(tokens=-1)), "tokens is no number"),
        (lambda raw: changed(raw, lambda h: h.update(state=1 << 50)), "state is no number"),
        (lambda raw: changed(raw, lambda h: h.update(state=1 << 40)), "longer or shorter"),
        (lambda raw: changed(raw, lambda h: h.update(left_out=True)), "left_out is no number"),
        (lambda raw: changed(raw, lambda h: h.update(made_with=None)), "made_with"),
        (lambda raw: changed(raw, lambda h: h["made_with"].pop("cache")), "made_with"),
    ],
)
def test_what_is_no_saved_chat_is_an_error_and_changes_nothing(
    model: Model, tmp_path: Path, make: Callable[[bytes], bytes], words: str
) -> None:
    path = tmp_path / "chat.session"
    path.write_bytes(make(saved(model, path)))
    other = chat(model)
    other.ask("before")
    kept, cached = other.messages, other.used_tokens
    with pytest.raises(ModelError, match="no saved chat") as caught:
        other.load_state(path)
    assert words in str(caught.value.found)
    assert (other.messages, other.used_tokens) == (kept, cached)
    other.close()


def test_files_that_cannot_be_read(model: Model, tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ModelError, match="cannot be read"):
            chat(model).load_state(path)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_anywhere_is_an_error_or_said(
    model: Model, tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / "chat.session"
    if not path.exists():
        saved(model, path)
        path.rename(tmp_path / "whole")
    raw = bytearray((tmp_path / "whole").read_bytes())
    places = st.integers(0, 1500) | st.integers(0, len(raw) - 1)
    for at in data.draw(st.sets(places, min_size=1, max_size=4)):
        raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    try:
        file = SavedFile.open(path)
    except ModelError:
        return
    state = file.state(own_key(), context=512)
    file.close()
    assert isinstance(state, str)


def test_the_system_prompt_of_a_chat_stays(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "chat.session"
    saved(model, path)
    other = chat(model, system="Be long.")
    other.load_state(path)
    assert other.messages[0].content == "Be long."
    assert len(other.messages) == 3


def test_messages_come_back_as_they_were() -> None:
    call = ToolCall("add", {"a": 1, "b": [1.5, None, "x"]})
    messages = (
        Message("system", "S"),
        Message("user", "é\ud800"),
        Message("assistant", "", (call,), thinking="hm"),
        Message("tool", "3", name="add"),
    )
    text = json.dumps(messages_to_json(messages))
    assert messages_from_json(json.loads(text)) == messages


def test_the_key_is_made_once_and_read_by_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    made = own_key(folder)
    assert made is not None
    assert len(made) == 32
    assert own_key(folder) == made
    if os.name == "posix":
        path = folder / "session.key"
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o644)
        assert own_key(folder) is None
        path.chmod(0o600)
        path.write_bytes(b"short")
        assert own_key(folder) is None
    monkeypatch.setattr(key, "own_cache", lambda root=None: None)
    assert own_key() is None
