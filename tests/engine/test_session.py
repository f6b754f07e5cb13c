from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Generation, Session
from qwq_gguf.errors import ModelError, PromptTooLongError
from qwq_gguf.sampling import Dist, Greedy, SamplerChain, Temperature, TopK
from support.tiny_gguf import vocab, write_bigram, write_random

GREEDY = SamplerChain((Greedy(),))
DICE = SamplerChain((Temperature(1.0), TopK(40), Dist()))


@pytest.fixture
def session(model: Model) -> Iterator[Session]:
    session = Session(model)
    yield session
    session.close()


def tokens(generation: Generation) -> list[int]:
    return [token for token, _piece in generation]


def words(model: Model, text: str) -> list[int]:
    return model.vocabulary.encode_text(text)


def test_a_seed_makes_the_same_text_again(model: Model, session: Session) -> None:
    prompt = words(model, "hello the thing")
    runs = []
    for seed in (1, 1, 2):
        session.forget()
        runs.append(tokens(session.generate(prompt, DICE, seed=seed, max_tokens=30)))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_pieces_are_those_of_the_tokens(model: Model, session: Session) -> None:
    generation = session.generate(words(model, "hello"), DICE, seed=3, max_tokens=20)
    for token, piece in generation:
        assert piece == model.piece(token)
    assert generation.tokens_per_second > 0


@pytest.mark.parametrize("seed", [-1, 2**32 - 1])
def test_a_seed_out_of_range_is_refused(model: Model, session: Session, seed: int) -> None:
    with pytest.raises(ModelError, match="seed"):
        session.generate([1, 2], DICE, seed=seed)


def test_the_cache_is_reused_as_far_as_it_agrees(model: Model, session: Session) -> None:
    first = words(model, "one two three four five six seven")
    generation = session.generate(first, GREEDY, seed=1, max_tokens=8)
    told = tokens(generation)
    assert generation.reused_tokens == 0
    assert session.cached_tokens == len(first) + len(told) - 1

    # The same start, another end: computed only from where they part.
    second = first[:-3] + words(model, "and something else")
    generation = session.generate(second, GREEDY, seed=1, max_tokens=8)
    reused = tokens(generation)
    assert generation.reused_tokens == len(first) - 3

    fresh = Session(model)
    generation = fresh.generate(second, GREEDY, seed=1, max_tokens=8)
    assert tokens(generation) == reused
    assert generation.reused_tokens == 0
    fresh.close()

    # The same prompt again: its last token is computed, for its logits.
    generation = session.generate(second, GREEDY, seed=1, max_tokens=8)
    assert tokens(generation) == reused
    assert generation.reused_tokens == len(second) - 1


@pytest.fixture
def in_batches(model: Model) -> Iterator[Session]:
    """As a model that is not small has it."""
    with closing(Session(model, replace(model.settings, batch=128))) as session:
        yield session


def test_a_small_model_s_prompt_is_computed_at_once(model: Model, session: Session) -> None:
    prompt = words(model, "abc def ") * 40
    seen: list[int] = []
    noting = session.generate(
        prompt, GREEDY, seed=1, max_tokens=1, on_prompt=lambda done, _: seen.append(done)
    )
    assert len(tokens(noting)) == 1
    assert seen == [len(prompt)]


def test_a_long_prompt_is_computed_in_batches_with_progress(
    model: Model, in_batches: Session
) -> None:
    prompt = words(model, "abc def ") * 40
    seen: list[tuple[int, int]] = []

    def note(done: int, total: int) -> None:
        seen.append((done, total))

    tokens(in_batches.generate(prompt, GREEDY, seed=1, max_tokens=1, on_prompt=note))
    assert len(seen) == -(-len(prompt) // 128)
    assert seen[-1] == (len(prompt), len(prompt))
    assert seen == sorted(seen)


def test_a_prompt_that_does_not_fit_is_refused_before_anything_runs(
    model: Model, session: Session
) -> None:
    kept = words(model, "a short one")
    tokens(session.generate(kept, GREEDY, seed=1, max_tokens=1))
    cached = session.cached_tokens
    with pytest.raises(PromptTooLongError) as caught:
        session.generate([5] * 512, GREEDY, seed=1)
    assert caught.value.found == "512 tokens"
    assert caught.value.expected == "at most 511"
    assert session.cached_tokens == cached


def test_a_full_context_ends_the_text(tmp_path: Path) -> None:
    with Model.load(_endless(tmp_path), threads=1, context=40) as model:
        session = Session(model)
        prompt = [words(model, "x")[0]] * 10
        generation = session.generate(prompt, GREEDY, seed=1)
        assert len(tokens(generation)) == 30
        assert generation.finish_reason is FinishReason.CONTEXT
        # The last place holds a token too.
        generation = session.generate(prompt[:1] * 39, GREEDY, seed=1)
        assert len(tokens(generation)) == 1
        assert generation.finish_reason is FinishReason.CONTEXT


def test_the_limit_of_tokens_ends_the_text(tmp_path: Path) -> None:
    with Model.load(_endless(tmp_path), threads=1) as model:
        generation = Session(model).generate(words(model, "x"), GREEDY, seed=1, max_tokens=7)
        assert len(tokens(generation)) == 7
        assert generation.finish_reason is FinishReason.LENGTH


def test_the_end_of_the_turn_and_stop_tokens_end_the_text(tmp_path: Path) -> None:
    path = write_bigram(tmp_path / "b.gguf", {"a": "b", "b": "c"}, words=vocab())
    with Model.load(path, threads=1) as model:
        session = Session(model)
        a, b, c = (words(model, letter)[0] for letter in "abc")
        generation = session.generate([a], GREEDY, seed=1)
        assert tokens(generation) == [b, c]
        assert generation.finish_reason is FinishReason.STOP
        assert generation.end_token == model.eos
        generation = session.generate([a], GREEDY, seed=1, stop_tokens=[c])
        assert tokens(generation) == [b]
        assert generation.end_token == c


def test_interrupting_ends_the_text_with_the_next_token(tmp_path: Path) -> None:
    with Model.load(_endless(tmp_path), threads=1) as model:
        session = Session(model)
        generation = session.generate(words(model, "x"), GREEDY, seed=1)
        seen = 0
        for _ in generation:
            seen += 1
            if seen == 5:
                session.interrupt()
        assert seen == 5
        assert generation.finish_reason is FinishReason.INTERRUPTED
        # And it works as before afterwards.
        assert len(tokens(session.generate(words(model, "x"), GREEDY, seed=1, max_tokens=9))) == 9


def test_interrupting_a_prompt_stops_its_computation(model: Model, in_batches: Session) -> None:
    session = in_batches
    prompt = words(model, "abc def ") * 40
    done: list[int] = []

    def stop(count: int, _total: int) -> None:
        done.append(count)
        session.interrupt()

    generation = session.generate(prompt, GREEDY, seed=1, on_prompt=stop)
    assert tokens(generation) == []
    assert generation.finish_reason is FinishReason.INTERRUPTED
    assert done == [128]
    # What was computed is known and reused.
    generation = session.generate(prompt, GREEDY, seed=1, max_tokens=1)
    assert len(tokens(generation)) == 1
    assert generation.reused_tokens >= 128


def _slow(tmp_path: Path) -> Model:
    """A model and a context in which a prompt takes seconds."""
    path = write_random(
        tmp_path / "slow.gguf", layers=4, width=256, heads=8, ffn=1024, context=4096
    )
    return Model.load(path, threads=1, context=4096)


def test_another_thread_can_interrupt_within_a_batch(tmp_path: Path) -> None:
    with _slow(tmp_path) as model:
        session = Session(model)
        timer = threading.Timer(0.1, session.interrupt)
        generation = session.generate([5] * 4000, GREEDY, seed=1)
        timer.start()
        began = time.perf_counter()
        assert tokens(generation) == []
        assert time.perf_counter() - began < 5
        assert generation.finish_reason is FinishReason.INTERRUPTED


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX signals")
def test_a_signal_gets_through_while_a_prompt_is_computed(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def handler(_number: int, _frame: object) -> None:
        raise Stop

    with _slow(tmp_path) as model:
        session = Session(model)
        before = signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(Stop):
                tokens(session.generate([5] * 4000, GREEDY, seed=1))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        # The session still works.
        assert len(tokens(session.generate([5] * 10, GREEDY, seed=1, max_tokens=2))) == 2


def test_numbers_that_are_none_are_an_error_not_a_crash(tmp_path: Path) -> None:
    # The trial sees the first tokens only: here a later one is broken.
    rows = np.ones((len(vocab().tokens), 64), np.float32)
    rows[ord("x")] = np.nan
    path = write_random(tmp_path / "nan.gguf", tensors={"token_embd.weight": rows})
    with Model.load(path, threads=1) as model:
        session = Session(model)
        assert len(tokens(session.generate([5, 6], GREEDY, seed=1, max_tokens=2))) == 2
        with pytest.raises(ModelError, match="not a number"):
            tokens(session.generate([5, words(model, "x")[0]], DICE, seed=1))
        assert session.cached_tokens == 0


def test_a_new_generation_ends_the_one_before(model: Model, session: Session) -> None:
    first = session.generate(words(model, "hello"), DICE, seed=1)
    stream = iter(first)
    next(stream)
    second = session.generate(words(model, "other"), DICE, seed=1, max_tokens=5)
    with pytest.raises(ModelError, match="its session has begun another one"):
        next(stream)
    assert first.finish_reason is None
    assert len(tokens(second)) <= 5
    # One that was never read holds nothing either.
    session.generate(words(model, "unread"), DICE, seed=1)
    assert tokens(session.generate(words(model, "hello"), DICE, seed=1, max_tokens=2))


def test_a_closed_session_says_so(model: Model) -> None:
    session = Session(model)
    generation = session.generate([5, 6], GREEDY, seed=1)
    stream = iter(generation)
    next(stream)
    session.close()
    session.close()
    with pytest.raises(ModelError, match="closed"):
        next(stream)
    with pytest.raises(ModelError, match="closed"):
        session.generate([5], GREEDY, seed=1)


@pytest.mark.parametrize(
    "prompt, options", [([], {}), ([5], {"max_tokens": 0}), ([10**6], {}), ([-1], {})]
)
def test_senseless_requests_are_refused(
    session: Session, prompt: list[int], options: dict[str, int]
) -> None:
    with pytest.raises(ModelError):
        tokens(session.generate(prompt, GREEDY, seed=1, **options))  # type: ignore[arg-type]


def test_two_sessions_do_not_disturb_each_other(model: Model, session: Session) -> None:
    other = Session(model)
    one = session.generate(words(model, "hello"), DICE, seed=1, max_tokens=15)
    two = other.generate(words(model, "other"), DICE, seed=2, max_tokens=15)
    mixed: tuple[list[int], list[int]] = ([], [])
    for left, right in zip(one, two, strict=False):
        mixed[0].append(left.token)
        mixed[1].append(right.token)
    session.forget()
    alone = tokens(session.generate(words(model, "hello"), DICE, seed=1, max_tokens=15))
    assert mixed[0] == alone[: len(mixed[0])]
    other.close()


def test_memory_does_not_grow_with_contexts_and_samplers(model: Model) -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("reads /proc")

    def resident() -> int:
        fields = Path("/proc/self/statm").read_text("ascii").split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def use() -> None:
        session = Session(model)
        tokens(session.generate([5, 6, 7], DICE, seed=1, max_tokens=3))
        session.close()

    for _ in range(5):
        use()
    before = resident()
    for _ in range(30):
        use()
    # A context of this model takes over a megabyte.
    assert resident() - before < 8 << 20


def _endless(tmp_path: Path) -> Path:
    """A model that says x for ever."""
    return write_bigram(tmp_path / "endless.gguf", {"x": "x"}, words=vocab())
