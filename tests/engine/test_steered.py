"""What may be done to a running generation from outside: biases, looks, going on at its end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.engine.llama.native_chain import NativeChain
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.replies import Steered
from qwq_gguf.engine.session import Generation, Session
from qwq_gguf.errors import ModelError
from qwq_gguf.sampling import (
    Dist,
    Grammar,
    Greedy,
    LogitBias,
    SamplerChain,
    Temperature,
    TopK,
    TopNSigma,
    TypicalP,
)
from support.demo import make_demo

GREEDY = SamplerChain((Greedy(),))
DICE = SamplerChain((Temperature(1.0), TopK(40), Dist()))
PROMPT = "<|im_start|>user\nWhat is 7*43?<|im_end|>\n<|im_start|>assistant\n<think>\n"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    with Model.load(make_demo(tmp_path_factory.mktemp("demo")), threads=1) as model:
        yield model


@pytest.fixture
def session(demo: Model) -> Iterator[Session]:
    session = Session(demo)
    yield session
    session.close()


def begin(session: Session, chain: SamplerChain = GREEDY, most: int = 40) -> Generation:
    model = session.model
    prompt = [model.control_tokens[PROMPT[:12]], *model.vocabulary.encode_text(PROMPT[12:])]
    return session.generate(prompt, chain, seed=1, max_tokens=most)


def words(model: Model, tokens: list[int]) -> str:
    return b"".join(map(model.piece, tokens)).decode()


def read(generation: Generation) -> list[int]:
    return [token for token, _ in generation]


def test_a_generation_can_be_steered(session: Session) -> None:
    steered: Steered = begin(session, most=7)
    assert steered.room == 7
    assert begin(session, most=10**6).room == session.context_size - steered.prompt_tokens


CHAINS = [
    GREEDY,
    DICE,
    SamplerChain((TopNSigma(2.0), Temperature(1.0), Dist())),
    SamplerChain((TypicalP(0.9), Dist())),
    SamplerChain((LogitBias(((3, -np.inf),)), Temperature(1.0), Dist())),
    SamplerChain((Grammar("root ::= [a-z ]*", scope="reply"), Temperature(1.0), Dist())),
]


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.stages[0].name)
def test_a_bias_acts_as_if_the_model_had_said_so(model: Model, chain: SamplerChain) -> None:
    logits = np.random.default_rng(2).normal(0, 3, model.vocab_size).astype(np.float32)
    added = {5: 4.0, 105: 2.0, int(logits.argmax()): -2.5, 17: 1.0}
    moved = logits.copy()
    for token, number in added.items():
        moved[token] += number
    made = []
    for given, biases in ((logits, added), (moved, {}), (logits, {})):
        with NativeChain.of(model, chain, seed=5) as native:
            native.bias(biases)
            made.append(native.apply(given.tolist()))
    assert made[0] == made[1] != made[2]


def test_a_bias_decides_and_ends(session: Session) -> None:
    free = read(begin(session))
    token = session.model.vocabulary.encode_text("9")[0]
    generation = begin(session)
    generation.bias({token: 1000.0})
    told = [next(generation).token for _ in range(3)]
    assert told == [token] * 3
    generation.bias({})
    assert read(generation)[:5] != [token] * 5
    # Nothing of it stays behind in what the session computed.
    assert read(begin(session)) == free


def test_the_logits_are_the_models_own_again(session: Session) -> None:
    next(begin(session))
    next(begin(session))  # its prompt is there already, as it is below: read alike, rounded alike
    own = session.logits()
    again = begin(session)
    again.bias({1: 3.0, 2: -3.0})
    again.forbid([4])
    next(again)
    np.testing.assert_array_equal(session.logits(), own)


@pytest.mark.parametrize("chain", CHAINS[:4], ids=lambda chain: chain.stages[0].name)
def test_what_is_forbidden_never_comes(session: Session, chain: SamplerChain) -> None:
    generation = begin(session, chain)
    seen: set[int] = set()
    for _ in range(6):
        token = next(generation).token
        assert token not in seen
        seen.add(token)
        generation.forbid(seen)


def test_a_bias_for_a_token_that_is_none(session: Session) -> None:
    generation = begin(session)
    with pytest.raises(ModelError, match="the model lacks"):
        generation.bias({session.model.vocab_size: 1.0})
    with pytest.raises(ModelError, match="the model lacks"):
        generation.bias({-1: 1.0})


def test_who_looks_sees_what_the_token_is_picked_from(session: Session) -> None:
    best: list[int] = []
    generation = begin(session)

    def look(logits: npt.NDArray[np.float32]) -> None:
        assert logits.shape == (session.model.vocab_size,)
        assert not logits.flags.writeable
        best.append(int(logits.argmax()))

    generation.before_pick(look)
    told = [next(generation).token for _ in range(8)]
    assert best == told
    generation.force([3, 4])
    assert [next(generation).token for _ in range(2)] == [3, 4]
    assert len(best) == 8  # what is forced is not picked
    next(generation)
    generation.before_pick(None)
    next(generation)
    assert len(best) == 9


def test_who_looks_may_force_forbid_and_bias_what_comes_now(session: Session) -> None:
    free = [next(generation).token for generation in [begin(session)] for _ in range(2)]
    for act, expected in (("force", 5), ("bias", 6), ("forbid", None)):
        generation = begin(session)

        def look(
            logits: npt.NDArray[np.float32], act: str = act, on: Generation = generation
        ) -> None:
            if act == "force":
                on.force([5])
            elif act == "bias":
                on.bias({6: 1000.0})
            else:
                on.forbid([int(logits.argmax())])

        generation.before_pick(look)
        token = next(generation).token
        assert token == expected if expected else token != free[0]


def test_a_generation_may_go_on_at_its_end(session: Session) -> None:
    free = begin(session, most=300)
    text = words(session.model, read(free))
    end = free.end_token
    assert free.finish_reason is FinishReason.STOP
    more = session.model.vocabulary.encode_text(" So?")
    asked: list[int] = []
    generation = begin(session, most=300)

    def goes_on(token: int) -> bool:
        asked.append(token)
        generation.force(more)
        return len(asked) == 1

    generation.before_stop(goes_on)
    assert words(session.model, read(generation)).startswith(text + " So?")
    assert generation.end_token in asked
    assert asked[0] == end
    assert generation.finish_reason is FinishReason.STOP


def test_an_end_that_is_forbidden_gives_another_token(session: Session) -> None:
    free = begin(session, most=300)
    length = len(read(free))
    generation = begin(session, most=length + 5)

    def goes_on(token: int) -> bool:
        generation.forbid([token])
        return True

    generation.before_stop(goes_on)
    told = read(generation)
    assert len(told) > length
    assert free.end_token not in told
