"""Models whose state cannot be cut go back to saved copies of it, and say the same as anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.llama import checkpoints
from qwq_gguf.engine.llama.checkpoints import States, turn_places
from qwq_gguf.engine.llama.context_settings import ContextSettings
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Generation, Session
from qwq_gguf.profiles import Profile
from qwq_gguf.sampling import Greedy, SamplerChain
from qwq_gguf.thinking import Governor
from support.tiny_states import WINDOW, write_lfm2, write_mamba, write_sliding

GREEDY = SamplerChain((Greedy(),))
END = -1
MODELS = [write_mamba, write_lfm2]


class Narrow(ContextSettings):
    """Of sliding layers only the window is kept."""

    __slots__ = ()

    def apply(self, api: Any, params: Any) -> None:
        super().apply(api, params)
        params.swa_full = False


def told(generation: Generation) -> list[int]:
    return [token for token, _ in generation]


def ask(session: Session, prompt: list[int], most: int = 12) -> tuple[list[int], int]:
    generation = session.generate(prompt, GREEDY, seed=1, max_tokens=most)
    return told(generation), generation.reused_tokens


def anew(model: Model, prompt: list[int], settings: ContextSettings) -> list[int]:
    session = Session(model, settings)
    tokens, reused = ask(session, prompt)
    session.close()
    assert reused == 0
    return tokens


@pytest.mark.parametrize(
    "write, settings",
    [
        (write_mamba, ContextSettings(batch=32)),
        (write_lfm2, ContextSettings(batch=32)),
        (write_sliding, ContextSettings(batch=32)),
        (write_sliding, Narrow(batch=4)),
    ],
)
def test_a_second_turn_computes_what_is_new_and_says_the_same(
    tmp_path: Path, write: Callable[[Path], Path], settings: ContextSettings
) -> None:
    with Model.load(write(tmp_path / "tiny.gguf"), threads=1) as model:
        end = model.eos
        assert end is not None
        session = Session(model, settings)
        system = [*range(40, 60), end]
        question = [*system, *range(70, 90), end]
        first, reused = ask(session, [*question, 10, 11, 12])
        assert reused == 0
        assert len(set(first)) > 2  # else anything would say the same

        # The thought that the prompt opened is not sent again: it parts behind the question.
        second = [*question, 10, *first[3:9], end, *range(90, 100), end, 10, 11, 12]
        answer, reused = ask(session, second)
        assert answer == anew(model, second, settings)
        assert reused >= len(question)

        # The same again (another reply): all but the last token is there.
        answer, reused = ask(session, second)
        assert (answer, reused) == (anew(model, second, settings), len(second) - 1)

        # A text that goes on where the last one ended.
        longer = [*second, *answer, 33, 34]
        answer, reused = ask(session, longer)
        assert answer == anew(model, longer, settings)
        assert reused == len(longer) - 3  # the last token generated was not computed

        # Oldest turns are left out: the system's turn is still there.
        other = [*system, *range(101, 120), end, 10]
        answer, reused = ask(session, other)
        assert answer == anew(model, other, settings)
        assert reused >= len(system)

        # Nothing in common.
        other = [99, 98, 97]
        answer, reused = ask(session, other)
        assert (answer, reused) == (anew(model, other, settings), 0)
        session.close()


def test_a_window_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    """Without a checkpoint where the texts part, the window there is gone."""
    with Model.load(write_sliding(tmp_path / "tiny.gguf"), threads=1) as model:
        settings = Narrow(batch=4)
        session = Session(model, settings)
        prompt = [10 + index % 190 for index in range(450)]  # a cache has 256 places at least
        ask(session, prompt)
        other = [*prompt[:50], *range(120, 150)]
        answer, reused = ask(session, other)
        assert reused == 0
        assert answer == anew(model, other, settings)
        # One within reach is.
        other = [*other[:-2], 5, 6]
        assert ask(session, other) == (anew(model, other, settings), len(other) - 2)
        session.close()
    assert WINDOW > 2


@pytest.mark.parametrize("write", MODELS)
def test_what_was_interrupted_is_not_gone_on_from(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    with Model.load(write(tmp_path / "tiny.gguf"), threads=1) as model:
        settings = ContextSettings(batch=16)
        session = Session(model, settings)
        begun = [*range(40), next(iter(model.eog_tokens)), 7]
        ask(session, begun)
        prompt = [*begun, *(index % 200 for index in range(100))]

        def stop(done: int, _total: int) -> None:
            if done >= 80:
                session.interrupt()

        generation = session.generate(prompt, GREEDY, seed=1, on_prompt=stop)
        assert told(generation) == []
        assert generation.finish_reason is FinishReason.INTERRUPTED
        answer, reused = ask(session, prompt)
        assert answer == anew(model, prompt, settings)
        assert reused == 41  # where the turn ended; behind that nothing is certain
        session.close()


def test_a_conversation_with_a_hybrid_model_reuses_its_turns(tmp_path: Path) -> None:
    profile = Profile("test", "", GREEDY, stops=("<|im_end|>",), governor=Governor(0))
    with Model.load(write_lfm2(tmp_path / "tiny.gguf"), threads=1) as model:
        chat = Conversation(model, profile, system="Be brief and to the point.", max_tokens=12)
        seen: list[Any] = []
        generate = chat.responder.session.generate

        def watch(*arguments: Any, **options: Any) -> Any:
            seen.append(generate(*arguments, **options))
            return seen[-1]

        chat.responder.session.generate = watch  # type: ignore[method-assign]
        for question in ("one two three four five", "six seven eight nine", "ten"):
            assert chat.ask(question).answer
        assert seen[0].reused_tokens == 0
        # All up to the answer, which is sent without the thought that was begun before it.
        assert seen[1].reused_tokens >= seen[0].prompt_tokens - 20
        assert seen[2].reused_tokens >= seen[1].prompt_tokens - 20
        chat.close()


def test_states_are_bounded_and_the_oldest_go_first() -> None:
    states = States(most=3, most_bytes=10)
    for place in (5, 1, 9):
        states.put(place, b"abc")
    assert list(states.places) == [5, 1, 9]
    states.put(12, b"abc")
    assert list(states.places) == [1, 9, 12]
    states.put(1, b"new")  # the newest of all now
    assert list(states.places) == [9, 12, 1]
    assert states[1] == b"new"
    states.put(20, b"x" * 7)
    assert list(states.places) == [1, 20]
    states.put(30, b"x" * 11)
    assert list(states.places) == [1, 20]
    assert states.last() == 20
    states.cut(19)
    assert list(states.places) == [1]
    states.cut(0)
    assert states.last() is None


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), max_size=60))
def test_states_never_exceed_their_bounds(puts: list[tuple[int, int]]) -> None:
    states = States(most=4, most_bytes=20)
    for place, size in puts:
        states.put(place, b"x" * size)
        assert len(states.places) <= 4
        assert states.nbytes <= 20
        assert place in states.places  # each of these fits alone


@pytest.mark.parametrize(
    "prompt, places",
    [
        ([1, 2, END, 3, END, 4, END, 5, END, 6], (3, 7, 9)),
        ([1, 2, END, 3], (3,)),
        ([1, END, 2, 3], (2, 3)),
        ([1, 2, 3], (2,)),
        ([1], ()),
        ([END], ()),
        ([1, END], (1,)),
    ],
)
def test_where_prompts_are_likely_to_part(prompt: list[int], places: tuple[int, ...]) -> None:
    assert turn_places(prompt, {END}) == places


def test_a_state_too_large_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MOST_STATE_BYTES", 100)
    with Model.load(write_mamba(tmp_path / "tiny.gguf"), threads=1) as model:
        session = Session(model)
        ask(session, [1, 2, 3, 4])
        assert session._context._checkpoints.places == ()
        session.close()
