"""Several texts in one context: what each gets is what it would get alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pytest

from qwq_gguf.chat.events import FinishReason, Responded, Response, ThinkingDelta
from qwq_gguf.chat.messages import Message
from qwq_gguf.engine.batching.engine import Engine
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.responder import Responder
from qwq_gguf.engine.session import Session
from qwq_gguf.errors import BusyError, ModelError, PromptTooLongError
from qwq_gguf.profiles import Profile, load_profile
from qwq_gguf.sampling import Dist, Grammar, Greedy, LogitBias, SamplerChain, Temperature, TopK
from qwq_gguf.thinking import Governor
from support.demo import make_demo
from support.rounding import rounding
from support.tiny_gguf import vocab, write_bigram, write_random
from support.tiny_states import write_lfm2, write_mamba, write_sliding

GREEDY = SamplerChain((Greedy(),))
DICE = SamplerChain((Temperature(1.0), TopK(40), Dist()))
T = TypeVar("T")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    with Model.load(make_demo(tmp_path_factory.mktemp("demo")), threads=1, context=2048) as model:
        yield model


@pytest.fixture
def engine(model: Model) -> Iterator[Engine]:
    with Engine(model, sequences=4) as engine:
        yield engine


def at_once(*calls: Callable[[], T]) -> list[T | BaseException]:
    """What each call gives or raises, each in a thread of its own."""
    results: list[T | BaseException] = [ModelError("did not end")] * len(calls)

    def run(place: int, call: Callable[[], T]) -> None:
        try:
            results[place] = call()
        except BaseException as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    return results


def same(model: Model, prompt: Sequence[int], alone: list[int], other: object) -> bool:
    """Whether the best tokens are those of the text alone, up to a tie.

    In a batch numbers are rounded otherwise; what follows the other of two equals is another text.
    """
    assert isinstance(other, list), other
    parted = next((i for i, (a, b) in enumerate(zip(alone, other, strict=False)) if a != b), None)
    if parted is None:
        return len(alone) == len(other)
    session = Session(model)
    list(session.generate([*prompt, *alone[:parted]], GREEDY, seed=1, max_tokens=1))
    logits = session.logits()
    session.close()
    return bool(abs(logits[alone[parted]] - logits[other[parted]]) < 0.03 * logits.std())


def greedy(governor: Governor | None = None) -> Profile:
    profile = replace(load_profile("qwq"), chain=GREEDY)
    return profile if governor is None else replace(profile, governor=governor)


def response(
    responder: Responder, text: str, *, most: int | None = None, seed: int = 1
) -> Response:
    last = list(responder.respond([Message("user", text)], seed=seed, max_tokens=most))[-1]
    assert isinstance(last, Responded)
    return last.response


def said(response: Response | BaseException) -> tuple[object, ...]:
    assert isinstance(response, Response), response
    return (
        response.thinking,
        response.written,
        response.thinking_tokens,
        response.answer_tokens,
        response.finish_reason,
        response.thought_ended,
    )


# ---------------------------------------------------------------- as if alone

QUESTIONS = [
    "What is 743*29?",
    "What is 7*43?",
    "What is 12+30?",
    "Please think about this one for as long as you like, and then some: what is 91*12?",
    "What is 3394*35979?",
    "hi",
    "What is 5*5? " * 20,
    "What is 100-1?",
]


@pytest.mark.parametrize("sequences", [1, 4, 16])
def test_each_gets_what_it_would_get_alone(demo: Model, sequences: int) -> None:
    """Prompts of many lengths, some governed, one with a grammar, some that end early."""
    bound = replace(
        greedy(), chain=SamplerChain((Grammar('root ::= "no" | "yes"', scope="answer"), Greedy()))
    )
    kinds = [(greedy(), 90), (greedy(Governor(12, "Enough.")), None), (greedy(Governor(0)), None)]
    work = [(text, *kinds[number % 3]) for number, text in enumerate(QUESTIONS)]
    work += [("Is 5 more than 3?", bound, 150), ("What is 6*7?", load_profile("qwq"), 80)]

    def ask(where: Engine | None, text: str, profile: Profile, most: int | None) -> Response:
        session = None if where is None else where.sequence()
        return response(Responder(demo, profile, session=session), text, most=most)

    alone = [said(ask(None, *each)) for each in work]
    with Engine(demo, sequences=sequences) as engine:
        together = at_once(*(lambda each=each: ask(engine, *each) for each in work))
        assert engine.open == 0
    assert [said(each) for each in together] == alone


def test_conversations_in_threads_are_as_if_alone(demo: Model) -> None:
    def talk(engine: Engine | None, number: int) -> list[str]:
        session = None if engine is None else engine.sequence()
        chat = Conversation(demo, load_profile("qwq"), session=session, seed=number, max_tokens=60)
        return [chat.ask(f"What is {number}*{turn + 12}?").thinking for turn in range(3)]

    alone = [talk(None, number) for number in range(4)]
    with Engine(demo, sequences=3) as engine:
        together = at_once(*(lambda n=n: talk(engine, n) for n in range(4)))
    assert together == alone


def test_texts_that_leave_do_not_change_the_others(model: Model) -> None:
    prompts = [[5 + n + i % 40 for i in range(10 + 30 * n)] for n in range(6)]
    session = Session(model)
    alone = [[t for t, _ in session.generate(p, GREEDY, seed=1, max_tokens=60)] for p in prompts]
    with Engine(model, sequences=4) as engine:

        def whole(number: int) -> list[int]:
            made = engine.sequence().generate(prompts[number], GREEDY, seed=1, max_tokens=60)
            return [token for token, _ in made]

        def part(number: int) -> list[int]:
            made = engine.sequence().generate(prompts[number], GREEDY, seed=1)
            tokens = [next(made).token for _ in range(number + 2)]
            made.close()
            return tokens

        calls = [lambda n=n: whole(n) if n % 2 else part(n) for n in range(6)]
        together = at_once(*calls)
    for n, (prompt, made) in enumerate(zip(prompts, together, strict=True)):
        assert same(model, prompt, alone[n] if n % 2 else alone[n][: n + 2], made)


def test_short_of_cells_they_take_turns_and_say_the_same(tmp_path: Path) -> None:
    path = write_random(tmp_path / "small.gguf")
    with Model.load(path, threads=1, context=256) as model:
        prompts = [[9 + n + i % 50 for i in range(60)] for n in range(4)]
        session = Session(model)
        alone = [[t for t, _ in session.generate(p, GREEDY, seed=1)] for p in prompts]
        assert max(map(len, alone)) > 100  # together they want far more than there is
        with Engine(model, sequences=4) as engine:

            def make(prompt: Sequence[int]) -> list[int]:
                return [t for t, _ in engine.sequence().generate(prompt, GREEDY, seed=1)]

            together = at_once(*(lambda p=p: make(p) for p in prompts))
        for prompt, one, made in zip(prompts, alone, together, strict=True):
            assert same(model, prompt, one, made)


@pytest.mark.parametrize("write", [write_mamba, write_lfm2, write_sliding])
def test_models_whose_state_cannot_be_cut(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    with Model.load(write(tmp_path / "tiny.gguf"), threads=1) as model:
        prompts = [[5 + (n * 7 + i * 3) % 90 for i in range(10 + 30 * n)] for n in range(5)]
        alone = []
        for prompt in prompts:
            session = Session(model)
            alone.append([t for t, _ in session.generate(prompt, GREEDY, seed=1, max_tokens=30)])
            session.close()
        with Engine(model, sequences=3) as engine:

            def make(prompt: Sequence[int]) -> list[int]:
                made = engine.sequence().generate(prompt, GREEDY, seed=1, max_tokens=30)
                return [token for token, _ in made]

            for _ in range(2):
                together = at_once(*(lambda p=p: make(p) for p in prompts))
                for prompt, one, made in zip(prompts, alone, together, strict=True):
                    assert same(model, prompt, one, made)
            # Where one has ended, the next may go on.
            first = engine.sequence().generate(prompts[0], GREEDY, seed=1, max_tokens=3)
            told = [*prompts[0], *(token for token, _ in first)]
            second = engine.sequence().generate([*told, 9], GREEDY, seed=1, max_tokens=3)
            assert len(list(second)) == 3
            assert second.reused_tokens == len(told) - 1


def test_a_reader_in_step_forces_forbids_biases_and_looks(model: Model) -> None:
    def steered(session: Session | Engine) -> tuple[list[int], list[float]]:
        place = session.sequence() if isinstance(session, Engine) else session
        made = place.generate([5, 6, 7], GREEDY, seed=1, max_tokens=12)
        seen: list[float] = []

        def look(logits: npt.NDArray[np.float32]) -> None:
            seen.append(float(logits.max()))
            if len(seen) == 5:
                made.force([33])

        tokens = [next(made).token]
        made.force([40, 41])
        made.forbid(tokens)
        tokens += [next(made).token for _ in range(3)]
        made.bias({50: 1e6})
        made.before_pick(look)
        tokens += [next(made).token for _ in range(2)]
        made.bias({})
        return tokens + [token for token, _ in made], seen

    alone = steered(Session(model))
    assert alone[0][1:3] == [40, 41]
    with Engine(model, sequences=3) as engine:
        results = at_once(*[lambda: steered(engine)] * 3)
    for tokens, seen in results:  # type: ignore[misc]
        assert tokens == alone[0]
        # Logits of a batch are rounded otherwise than those of a text alone.
        assert seen == pytest.approx(alone[1], abs=rounding(model, 1e-3))


# ---------------------------------------------------------------- what is shared


def test_the_beginning_of_an_earlier_text_is_not_computed_again(engine: Engine) -> None:
    system = [5 + i % 90 for i in range(200)]
    first = engine.sequence().generate([*system, 9], GREEDY, seed=1, max_tokens=3)
    list(first)
    seen: list[tuple[int, int]] = []
    second = engine.sequence().generate(
        [*system, 10], GREEDY, seed=1, max_tokens=3, on_prompt=lambda *done: seen.append(done)
    )
    list(second)
    assert (first.reused_tokens, second.reused_tokens) == (0, 200)
    assert seen == [(201, 201)]
    assert second.seconds > 0
    assert second.prompt_seconds > 0


def test_a_prompt_s_progress_is_told_in_the_reader_s_thread(engine: Engine) -> None:
    seen: list[tuple[int, threading.Thread]] = []
    made = engine.sequence().generate(
        [5 + i % 90 for i in range(300)],
        GREEDY,
        seed=1,
        max_tokens=1,
        on_prompt=lambda done, total: seen.append((done, threading.current_thread())),
    )
    list(made)
    at_once = [300] if engine.model.gpu_layers else [128, 256, 300]
    assert [done for done, _ in seen] == at_once
    assert {thread for _, thread in seen} == {threading.current_thread()}


# ---------------------------------------------------------------- readers


def test_one_that_nobody_reads_holds_up_nobody(demo: Model) -> None:
    with Engine(demo, sequences=2) as engine:
        responder = Responder(demo, greedy(), session=engine.sequence())
        asleep = responder.respond([Message("user", "What is 3394*35979?")], seed=1)
        first = next(asleep)
        # It fills its buffer, and others have both places nevertheless.
        for number in range(4):
            other = Responder(demo, greedy(), session=engine.sequence())
            assert response(other, f"What is {number}*3?", most=80).finish_reason
        rest = list(asleep)
        alone = Responder(demo, greedy()).respond([Message("user", "What is 3394*35979?")], seed=1)
        assert [first, *rest][:-1] == list(alone)[:-1]


def test_cancelled_it_leaves_and_frees_its_place(demo: Model) -> None:
    with Engine(demo, sequences=1, waiting=1) as engine:
        responder = Responder(demo, greedy(), session=engine.sequence())
        running = responder.respond([Message("user", "What is 3394*35979?")], seed=1)
        assert isinstance(next(running), ThinkingDelta)
        running.cancel()
        last = list(running)[-1]
        assert isinstance(last, Responded)
        assert last.response.finish_reason is FinishReason.INTERRUPTED
        assert engine.open == 0
        # One whose reader is gone, in the middle of it.
        gone = responder.respond([Message("user", "What is 3394*35979?")], seed=1)
        next(gone)
        gone.close()
        until = time.monotonic() + 10
        while engine.open and time.monotonic() < until:
            time.sleep(0.001)
        assert engine.open == 0


def test_a_cancelled_prompt_is_aborted_at_once(tmp_path: Path) -> None:
    path = write_random(
        tmp_path / "slow.gguf", layers=4, width=256, heads=8, ffn=1024, context=4096
    )
    with Model.load(path, threads=1, context=4096) as model, Engine(model) as engine:
        made = engine.sequence().generate([5] * 4000, GREEDY, seed=1)
        threading.Timer(0.1, made.interrupt).start()
        began = time.perf_counter()
        assert list(made) == []
        assert time.perf_counter() - began < 5
        assert made.finish_reason is FinishReason.INTERRUPTED
        # The engine goes on.
        assert len(list(engine.sequence().generate([5, 6], GREEDY, seed=1, max_tokens=2))) == 2


def test_more_than_may_wait_are_told_so(tmp_path: Path) -> None:
    path = write_bigram(tmp_path / "endless.gguf", {"x": "x"}, words=vocab())
    with Model.load(path, threads=1) as model, Engine(model, sequences=1, waiting=0) as engine:
        x = model.vocabulary.encode_text("x")
        running = engine.sequence().generate(x, GREEDY, seed=1)
        next(running)
        other = engine.sequence().generate(x, GREEDY, seed=1)
        with pytest.raises(BusyError):
            next(other)
        running.close()
        until = time.monotonic() + 10
        while engine.open and time.monotonic() < until:
            time.sleep(0.001)
        assert next(engine.sequence().generate(x, GREEDY, seed=1)).token == x[0]


# ---------------------------------------------------------------- faults


def test_a_fault_of_one_is_no_other_s(engine: Engine, model: Model) -> None:
    prompt = [5 + i % 60 for i in range(50)]
    alone = [t for t, _ in Session(model).generate(prompt, DICE, seed=3, max_tokens=40)]

    def sound() -> list[int]:
        return [t for t, _ in engine.sequence().generate(prompt, DICE, seed=3, max_tokens=40)]

    def raises(error: Exception) -> list[int]:
        made = engine.sequence().generate([8, 9], DICE, seed=1)

        def look(_: object) -> None:
            raise error

        next(made)
        made.before_pick(look)
        return [t for t, _ in made]

    def forbids_all() -> list[int]:
        chain = SamplerChain((Grammar('root ::= "a"'), LogitBias(((ord("a"), -np.inf),)), Greedy()))
        return [t for t, _ in engine.sequence().generate([8, 9], chain, seed=1)]

    results = at_once(sound, lambda: raises(KeyError("mine")), forbids_all, sound)
    assert results[0] == results[3] == alone
    assert isinstance(results[1], KeyError)
    assert isinstance(results[2], ModelError)


def test_numbers_that_are_none_end_the_text_that_has_them_only(tmp_path: Path) -> None:
    """In one cache they get into others, where llama.cpp computes 64 tokens and more at once."""
    rows = np.random.default_rng(0).standard_normal((len(vocab().tokens), 64)).astype(np.float32)
    rows[ord("x")] = np.nan
    path = write_random(tmp_path / "nan.gguf", tensors={"token_embd.weight": rows})
    with Model.load(path, threads=1) as model:
        x = model.vocabulary.encode_text("x")[0]
        chain = SamplerChain((LogitBias(((x, -np.inf),)), Greedy()))
        prompt = [5 + 3 * i % 60 for i in range(100)]
        alone = [t for t, _ in Session(model).generate(prompt, chain, seed=1, max_tokens=20)]
        with Engine(model, sequences=4) as engine:
            hold = threading.Event()  # so that both are in one batch
            first = engine.sequence().generate([5, 7], chain, seed=1, max_tokens=30)
            next(first)
            first.before_pick(lambda _: (hold.wait(10), None)[1])

            def damaged() -> list[int]:
                return [t for t, _ in engine.sequence().generate([6, x, 8], chain, seed=1)]

            def sound() -> list[int]:
                made = engine.sequence().generate(prompt, chain, seed=1, max_tokens=20)
                return [t for t, _ in made]

            def release() -> list[int]:
                until = time.monotonic() + 10
                while engine.open < 4 and time.monotonic() < until:
                    time.sleep(0.001)
                hold.set()
                return []

            results = at_once(lambda: [t for t, _ in first], damaged, sound, sound, release)
        assert isinstance(results[1], ModelError)
        assert "not a number" in str(results[1])
        assert same(model, prompt, alone, results[2])
        assert same(model, prompt, alone, results[3])
        assert isinstance(results[0], list)


def test_what_makes_no_sense_is_refused_before_it_is_handed_in(engine: Engine) -> None:
    for prompt, most in (([], None), ([10**6], None), ([-1], None), ([5], 0)):
        with pytest.raises(ModelError):
            engine.sequence().generate(prompt, GREEDY, seed=1, max_tokens=most)
    with pytest.raises(PromptTooLongError):
        engine.sequence().generate([5] * 512, GREEDY, seed=1)
    with pytest.raises(ModelError, match="sequences"):
        Engine(engine.model, sequences=0)


def test_a_sequence_is_one_text_at_a_time(engine: Engine) -> None:
    place = engine.sequence()
    one = place.generate([5, 6], DICE, seed=1)
    next(one)
    two = place.generate([5, 6], DICE, seed=1, max_tokens=3)
    for _ in range(2):
        with pytest.raises(ModelError, match="begun another one"):
            next(one)
    assert len(list(two)) == 3
    assert place.cached_tokens == 4
    place.close()
    with pytest.raises(ModelError, match="closed"):
        place.generate([5, 6], DICE, seed=1)


@pytest.mark.parametrize("what", ["engine", "model"])
def test_closing_while_it_computes(random_gguf: Path, what: str) -> None:
    model = Model.load(random_gguf, threads=1)
    engine = Engine(model, sequences=3)
    begun = threading.Barrier(4)

    def read() -> int:
        made = engine.sequence().generate([5] * 300, GREEDY, seed=1)
        waiting = engine.sequence().generate([6] * 300, GREEDY, seed=1)
        begun.wait(30)
        return len(list(made)) + len(list(waiting))

    def close() -> int:
        begun.wait(30)
        (engine if what == "engine" else model).close()
        return -1

    results = at_once(*[read] * 3, close)
    assert results[3] == -1
    assert all(isinstance(each, ModelError) and "closed" in str(each) for each in results[:3])
    engine.close()
    with pytest.raises(ModelError, match="closed"):
        engine.sequence().generate([5], GREEDY, seed=1)
    model.close()


def test_draining_lets_what_runs_come_to_its_end(tmp_path: Path) -> None:
    path = write_bigram(tmp_path / "endless.gguf", {"x": "x"}, words=vocab())
    with Model.load(path, threads=1) as model, Engine(model) as engine:
        x = model.vocabulary.encode_text("x")
        short = engine.sequence().generate(x, GREEDY, seed=1, max_tokens=50)
        endless = engine.sequence().generate(x, GREEDY, seed=1)
        next(short), next(endless)
        results = at_once(
            lambda: len(list(short)), lambda: [next(endless)], lambda: engine.drain(0.3)
        )
        assert results[0] == 49
        assert results[2] is False
        list(endless)
        assert endless.finish_reason is FinishReason.INTERRUPTED
        with pytest.raises(BusyError):
            next(engine.sequence().generate(x, GREEDY, seed=1))


def test_an_engine_that_nobody_closed_ends_its_thread(random_gguf: Path) -> None:
    with Model.load(random_gguf, threads=1) as model:
        before = threading.active_count()
        place = Engine(model).sequence()
        for _ in range(2):
            assert len(list(place.generate([5, 6], GREEDY, seed=1, max_tokens=2))) == 2
        assert threading.active_count() == before + 1
        del place
        until = time.monotonic() + 10
        while threading.active_count() > before and time.monotonic() < until:
            time.sleep(0.001)
        assert threading.active_count() == before


def test_whoever_may_have_to_wait_for_others_has_small_ones(model: Model) -> None:
    for sequences, batch in ((1, 512), (2, 128), (150, 158)):
        with Engine(model, sequences=sequences) as engine:
            assert engine._loop._limits.batch == (512 if model.gpu_layers else batch)
