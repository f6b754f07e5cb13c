"""Guessing ahead in a session: the text is the same, and so is what is left behind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.engine.llama.native_chain import NativeChain
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Generation, Session
from qwq_gguf.engine.speculation.drafter import Drafter
from qwq_gguf.engine.speculation.lengths import Costs
from qwq_gguf.engine.speculation.model import ModelDrafter
from qwq_gguf.engine.speculation.speculation import Speculation
from qwq_gguf.errors import ModelError
from qwq_gguf.sampling import (
    Dist,
    Grammar,
    Greedy,
    LogitBias,
    Penalties,
    SamplerChain,
    Temperature,
    TopK,
    TypicalP,
)
from support.tiny_gguf import vocab, write_random
from support.tiny_states import write_lfm2, write_mamba, write_sliding

FREE = Costs(begin=1.0, group=0.0, row=0.0)
GREEDY = SamplerChain((Greedy(),))
DICE = SamplerChain((Temperature(0.8), TopK(40), Dist()))
CHAINS = {
    "greedy": GREEDY,
    "dice": DICE,
    "penalties": SamplerChain(
        (Penalties(repeat=1.3, presence=0.5, window="generation"), *DICE.stages)
    ),
    "grammar": SamplerChain((Grammar("root ::= [a-z ]*", scope="reply"), *DICE.stages)),
    "forbidding": SamplerChain((LogitBias(((3, -np.inf),)), *DICE.stages)),
    "typical": SamplerChain((TypicalP(0.9), Dist())),
}
PROMPT = [72, 104, 105, 32, 116, 104, 101]
LENGTH = 60


class Oracle:
    """Guesses what it is told will come, some of it wrong."""

    def __init__(self, coming: Sequence[int], size: int, wrong: Collection[int] = ()) -> None:
        self.coming = list(coming)
        self.size = size
        self.wrong = wrong
        self.closed = False
        self.seen: list[int] = []

    def begin(self, prompt: Sequence[int]) -> None:
        self.seen = []

    def add(self, token: int) -> None:
        self.seen.append(token)

    def draft(self, most: int) -> list[int]:
        at = len(self.seen)
        return [
            (token + 1) % 256 if place in self.wrong else token
            for place, token in enumerate(self.coming[at : at + min(self.size, most)], start=at)
        ]

    def verified(self, drafted: int, accepted: int) -> None:
        assert 0 <= accepted <= drafted

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class Told(Speculation):
    """The speculation of a test."""

    def __init__(self, model: Model, make: Callable[[], Drafter]) -> None:
        super().__init__(model)
        self._make = make

    def drafter(self) -> Drafter:
        return self._make()


@pytest.fixture(scope="module")
def model(random_gguf: Path) -> Iterator[Model]:
    """On the processor: a card computes several tokens at once with other kernels than one, and
    another dice roll may come of it.
    """
    with Model.load(random_gguf, threads=1, gpu_layers=0) as loaded:
        yield loaded


@pytest.fixture
def sessions(model: Model) -> Iterator[Callable[[Drafter | None], Session]]:
    made: list[Session] = []

    def make(drafter: Drafter | None) -> Session:
        if drafter is None:
            model.speculation = None
        else:
            model.speculate(Told(model, lambda: drafter))
        made.append(Session(model))
        return made[-1]

    yield make
    model.speculation = None
    for session in made:
        session.close()


Make = Callable[[Drafter | None], Session]


def text(generation: Generation) -> list[int]:
    return [token for token, _ in generation]


def plain(sessions: Make, chain: SamplerChain = DICE, most: int = LENGTH) -> list[int]:
    return text(sessions(None).generate(PROMPT, chain, seed=5, max_tokens=most))


@pytest.mark.parametrize(
    "wrong", [(), range(200), range(0, 200, 3)], ids=["right", "wrong", "some"]
)
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_the_text_is_what_it_is_without(
    sessions: Make, chain: SamplerChain, wrong: Collection[int]
) -> None:
    coming = plain(sessions, chain)
    session = sessions(Oracle(coming, 5, wrong))
    generation = session.generate(PROMPT, chain, seed=5, max_tokens=LENGTH)
    assert text(generation) == coming
    told = generation.speculated
    assert told is not None
    if not wrong:
        assert told.accepted == told.drafted > len(coming) / 2
        assert told.steps <= len(coming) / 5
    elif len(wrong) == 200:
        assert told.accepted == 0 < told.drafted


def test_with_the_same_seed_again_and_what_is_left_in_the_cache(sessions: Make) -> None:
    coming = plain(sessions)
    without = sessions(None)
    text(without.generate(PROMPT, DICE, seed=5, max_tokens=LENGTH))
    session = sessions(Oracle(coming, 7, range(0, 200, 4)))
    for most in (LENGTH, 1, 2, 17):
        generation = session.generate(PROMPT, DICE, seed=5, max_tokens=most)
        assert text(generation) == coming[:most]
        assert generation.finish_reason is FinishReason.LENGTH
        assert session.cached_tokens == len(PROMPT) + most - 1
    text(session.generate(PROMPT, DICE, seed=5, max_tokens=LENGTH))
    # What was taken back is gone: the same continuation has the same logits.
    longer = [*PROMPT, *coming, 5, 6, 7]
    for each in (without, session):
        generation = each.generate(longer, GREEDY, seed=1, max_tokens=1)
        next(generation)
        assert generation.reused_tokens == len(PROMPT) + LENGTH - 1
    np.testing.assert_allclose(session.logits(), without.logits(), atol=0.02)


def test_who_looks_sees_the_logits_of_each_pick(sessions: Make) -> None:
    def run(
        session: Session,
    ) -> tuple[list[npt.NDArray[np.float32]], list[npt.NDArray[np.float32]]]:
        shown: list[npt.NDArray[np.float32]] = []
        after = []
        generation = session.generate(PROMPT, GREEDY, seed=1, max_tokens=20)
        generation.before_pick(lambda logits: shown.append(logits.copy()))
        for token, _ in generation:
            after.append(session.logits())
            assert token == after[-1].argmax()
        return shown, after

    coming = plain(sessions, GREEDY, 20)
    without = run(sessions(None))
    ahead = run(sessions(Oracle(coming, 4, (2, 9))))
    for one, other in zip(without, ahead, strict=True):
        np.testing.assert_allclose(one, other, atol=0.05)  # of +-8


def test_a_governor_decides_between_guessed_tokens(sessions: Make) -> None:
    """Forced, forbidden and biased tokens, each in the middle of a step."""

    def run(session: Session) -> list[int]:
        generation = session.generate(PROMPT, GREEDY, seed=1, max_tokens=40)
        made: list[int] = []
        for token, _ in generation:
            made.append(token)
            match len(made):
                case 5:
                    generation.force([9, 8, 7, 6])
                case 16:
                    generation.forbid(range(100))
                case 22:
                    generation.bias({200: 1000.0})
                case 25:
                    generation.bias({})
        return made

    steered = run(sessions(None))
    assert steered[5:9] == [9, 8, 7, 6]
    assert steered[22:25] == [200] * 3
    # Guesses that foresee all of it, and ones that foresee nothing of it.
    assert run(sessions(Oracle(steered, 6))) == steered
    assert run(sessions(Oracle(plain(sessions, GREEDY, 40), 6))) == steered


def test_what_is_forced_is_computed_in_one_step(sessions: Make) -> None:
    session = sessions(Oracle((), 4))
    generation = session.generate(PROMPT, GREEDY, seed=1, max_tokens=30)
    next(generation)
    generation.force(list(range(30, 50)))
    made = [next(generation).token for _ in range(20)]
    assert made == list(range(30, 50))
    assert session.cached_tokens >= len(PROMPT) + 20
    text(generation)
    told = generation.speculated
    assert told is not None
    assert told.steps == 1 + 8
    assert told.drafted == told.accepted == 0


def test_the_end_of_a_text_within_a_step(sessions: Make) -> None:
    coming = plain(sessions)
    stop = coming[11]
    end = coming.index(stop)
    session = sessions(Oracle(coming, 8))
    generation = session.generate(PROMPT, DICE, seed=5, max_tokens=LENGTH, stop_tokens=[stop])
    assert text(generation) == coming[:end]
    assert generation.end_token == stop
    assert generation.finish_reason is FinishReason.STOP
    assert session.cached_tokens == len(PROMPT) + end
    # It may be asked whether it goes on, and then does.
    generation = session.generate(PROMPT, DICE, seed=5, max_tokens=LENGTH, stop_tokens=[stop])

    def goes_on(_token: int) -> bool:
        generation.force([65])
        return True

    generation.before_stop(goes_on)
    assert text(generation)[: end + 1] == [*coming[:end], 65]


def test_the_context_is_filled_to_its_last_token(model: Model, sessions: Make) -> None:
    class Same(Oracle):
        def draft(self, most: int) -> list[int]:
            return [1] * most

    session = sessions(Same((), 8))
    prompt = [5] * (model.context_size - 30)
    generation = session.generate(prompt, DICE, seed=5)
    ahead = text(generation)
    assert len(ahead) == 30
    assert generation.finish_reason is FinishReason.CONTEXT
    assert text(sessions(None).generate(prompt, DICE, seed=5)) == ahead


def test_ends_within_a_step_leave_a_cache_that_is_known(sessions: Make) -> None:
    coming = plain(sessions)

    def interrupt(session: Session, _generation: Generation) -> None:
        session.interrupt()

    def supersede(session: Session, _generation: Generation) -> None:
        session.generate([1, 2, 3], GREEDY, seed=1)

    def forget(session: Session, _generation: Generation) -> None:
        session.forget()

    def close(_session: Session, generation: Generation) -> None:
        generation.close()

    for act in (interrupt, supersede, forget, close):
        session = sessions(Oracle(coming, 9))
        generation = session.generate(PROMPT, DICE, seed=5, max_tokens=LENGTH)
        for _ in range(4):
            next(generation)
        act(session, generation)
        if act is interrupt:
            assert text(generation) == []
            assert generation.finish_reason is FinishReason.INTERRUPTED
        if act in (interrupt, close):
            assert session.cached_tokens == len(PROMPT) + 3
        assert text(session.generate(PROMPT, DICE, seed=5, max_tokens=LENGTH)) == coming
    session = sessions(oracle := Oracle(coming, 9))
    generation = session.generate(PROMPT, DICE, seed=5, max_tokens=LENGTH)
    for _ in range(4):
        next(generation)
    session.close()
    with pytest.raises(ModelError, match="closed"):
        next(generation)
    assert oracle.closed


def test_tokens_are_drawn_as_often_as_the_chain_says(model: Model, sessions: Make) -> None:
    """Chi-square of the first three tokens, of which two were guessed: the likeliest ones."""
    chain = SamplerChain((Temperature(1.5), TopK(3), Dist()))
    session = sessions(None)
    odds: dict[tuple[int, ...], float] = {(): 1.0}
    likeliest: list[int] = []
    for place in range(3):
        longer: dict[tuple[int, ...], float] = {}
        for begun, chance in odds.items():
            next(session.generate([*PROMPT, *begun], chain, seed=1))
            with NativeChain.of(model, chain, seed=1) as native:
                kept = native.apply(session.logits().tolist()).kept
            for token, share in kept:
                longer[(*begun, token)] = chance * share
            if list(begun) == likeliest:
                best = max(kept, key=lambda pair: pair[1])[0]
        odds, likeliest = longer, [*likeliest, best]
        assert len(odds) == 3 ** (place + 1)
    count = 1200
    drawn: dict[tuple[int, ...], int] = {}
    accepted = 0
    session = sessions(Oracle(likeliest, 2))
    for seed in range(count):
        generation = session.generate(PROMPT, chain, seed=seed, max_tokens=3)
        made = tuple(text(generation))
        drawn[made] = drawn.get(made, 0) + 1
        assert generation.speculated is not None
        accepted += generation.speculated.accepted
    assert set(drawn) <= set(odds)
    assert count / 4 < accepted < 2 * count
    square = sum(
        (drawn.get(made, 0) - count * chance) ** 2 / (count * chance)
        for made, chance in odds.items()
    )
    assert square < 54  # 26 degrees of freedom: one in a thousand is above


def test_guesses_out_of_the_text(model: Model, sessions: Make) -> None:
    prompt = [72, 104, 105, 32, 116, 104, 101]
    coming = text(sessions(None).generate(prompt, GREEDY, seed=1, max_tokens=300))
    model.speculate(Speculation(model))
    session = Session(model)
    try:
        generation = session.generate(prompt, GREEDY, seed=1, max_tokens=300)
        assert text(generation) == coming
        told = generation.speculated
        assert told is not None
        assert told.accepted > 30  # a random model is soon in a loop
        assert told.tokens == len(coming) - 1
    finally:
        session.close()


# ---------------------------------------------------------------- a draft model


def test_the_model_itself_as_its_draft_is_always_right(model: Model, random_gguf: Path) -> None:
    coming = text(Session(model).generate(PROMPT, GREEDY, seed=1, max_tokens=100))
    with Model.load(random_gguf, threads=1) as target:
        target.speculate(
            Speculation(target, draft=Model.load(random_gguf, threads=1), costs=FREE, most=6)
        )
        session = Session(target)
        for _ in range(2):
            generation = session.generate(PROMPT, GREEDY, seed=1, max_tokens=100)
            assert text(generation) == coming
            told = generation.speculated
            assert told is not None
            assert told.drafted > 20
            assert told.accepted >= told.drafted - 2  # but for ties


def test_another_draft_model_changes_no_token(model: Model, tmp_path: Path) -> None:
    other = write_random(tmp_path / "other.gguf", layers=1, seed=0)
    coming = text(Session(model).generate(PROMPT, DICE, seed=4, max_tokens=100))
    with Model.load(model.path, threads=1) as target:
        draft = Model.load(other, threads=1)
        target.speculate(Speculation(target, draft=draft, costs=FREE))
        session = Session(target)
        generation = session.generate(PROMPT, DICE, seed=4, max_tokens=100)
        assert text(generation) == coming
        told = generation.speculated
        assert told is not None
        assert 0 < told.accepted < told.drafted
        # A turn later, with what the first left in both caches.
        longer = [*PROMPT, *coming[:50], 5, 6]
        again = text(session.generate(longer, DICE, seed=4, max_tokens=50))
        assert again == text(Session(model).generate(longer, DICE, seed=4, max_tokens=50))
    with pytest.raises(ModelError, match="closed"):
        Session(draft)


def test_a_draft_model_that_is_never_sure_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = len(vocab().tokens)
    flat = {"output.weight": np.zeros((words, 64), np.float32)}
    unsure = write_random(tmp_path / "unsure.gguf", tensors=flat)
    with Model.load(write_random(tmp_path / "target.gguf"), threads=1) as target:
        draft = Model.load(unsure, threads=1)
        cheap = Costs(begin=0.95, group=0.65, row=0.4, guess=0.1)
        target.speculate(Speculation(target, draft=draft, costs=cheap))
        session = Session(target)
        drafter = session._drafter
        assert isinstance(drafter, ModelDrafter)
        asked: list[None] = []
        likeliest = drafter._likeliest

        def counted() -> int | None:
            asked.append(None)
            return likeliest()

        monkeypatch.setattr(drafter, "_likeliest", counted)
        endless = LogitBias(tuple((token, -np.inf) for token in sorted(target.eog_tokens)))
        chain = SamplerChain((endless, *DICE.stages))
        made = text(session.generate(PROMPT, chain, seed=4, max_tokens=100))
        assert len(made) == 100
        assert 1 <= len(asked) < 30


def test_a_smaller_models_unused_tokens_are_no_difference(tmp_path: Path) -> None:
    words = vocab()
    padded = type(words)((*words.tokens, "[PAD1]", "[PAD2]"), (*words.types, 5, 5), words.merges)
    small = write_random(tmp_path / "small.gguf")
    large = write_random(tmp_path / "large.gguf", words=padded)
    last = len(padded.tokens) - 1
    for target_path, draft_path in ((large, small), (small, large)):
        with Model.load(target_path, threads=1) as target:
            draft = Model.load(draft_path, threads=1)
            target.speculate(Speculation(target, draft=draft, costs=FREE))
            session = Session(target)
            generation = session.generate(PROMPT, DICE, seed=4, max_tokens=30)
            assert len(text(generation)) == 30
            assert generation.speculated is not None
            assert generation.speculated.drafted
            if target_path == large:
                generation = session.generate([*PROMPT, last], DICE, seed=4, max_tokens=30)
                assert len(text(generation)) == 30
                assert generation.speculated is not None
                assert generation.speculated.drafted == 0


def test_other_tokens_are_refused_with_what_differs(tmp_path: Path) -> None:
    words = vocab()
    other = type(words)((*words.tokens[:40], "ĠĠĠ", *words.tokens[41:]), words.types, words.merges)
    shorter = vocab(extra=["gh"])
    with Model.load(write_random(tmp_path / "target.gguf"), threads=1) as target:
        with (
            Model.load(write_random(tmp_path / "other.gguf", words=other), threads=1) as draft,
            pytest.raises(ModelError, match="other tokens") as refused,
        ):
            Speculation(target, draft=draft)
        assert refused.value.path == str(tmp_path / "other.gguf")
        assert refused.value.found == "token 40 is 'ĠĠĠ'"
        assert refused.value.expected == repr(words.tokens[40])
        with (
            Model.load(write_random(tmp_path / "more.gguf", words=shorter), threads=1) as draft,
            pytest.raises(ModelError, match="other tokens"),
        ):
            Speculation(target, draft=draft)


def test_a_state_that_cannot_go_back_is_refused(tmp_path: Path, model: Model) -> None:
    for write in (write_mamba, write_lfm2):
        with Model.load(write(tmp_path / "state.gguf"), threads=1) as recurrent:
            with pytest.raises(ModelError, match="cannot go back"):
                Speculation(recurrent)
            with pytest.raises(ModelError, match="cannot go back"):
                Speculation(model, draft=recurrent)


def test_windows_are_kept_whole_so_that_they_can_go_back(tmp_path: Path) -> None:
    with Model.load(write_sliding(tmp_path / "window.gguf"), threads=1) as sliding:
        endless = LogitBias(tuple((token, -np.inf) for token in sorted(sliding.eog_tokens)))
        chain = SamplerChain((endless, Greedy()))
        coming = text(Session(sliding).generate(PROMPT, chain, seed=2, max_tokens=60))
        oracle = Oracle(coming, 6, range(0, 60, 3))
        sliding.speculate(Told(sliding, lambda: oracle))
        generation = Session(sliding).generate(PROMPT, chain, seed=2, max_tokens=60)
        assert text(generation) == coming
        assert generation.speculated is not None
        assert generation.speculated.accepted


def test_steps_end_where_a_guess_was_wrong(sessions: Make) -> None:
    coming = plain(sessions, most=41)
    wrong = (6, 13, 14, 30)
    generation = sessions(Oracle(coming, 40, wrong)).generate(PROMPT, DICE, seed=5, max_tokens=41)
    assert text(generation) == coming
    told = generation.speculated
    assert told is not None
    assert told.steps == len(wrong) + 1
    # Of the last step the text's own limit leaves nine.
    assert told.accepted == sum((5, 6, 0, 15, 9))
