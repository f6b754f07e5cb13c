"""A short list of tokens: what is on it, and that the same token comes of it as of all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from qwq_gguf.engine.llama import library as native
from qwq_gguf.engine.llama.likely import likely
from qwq_gguf.engine.llama.native_chain import NativeChain
from qwq_gguf.engine.loading.pace_timing import Timer, one_kind
from qwq_gguf.engine.loading.zero_model import ZeroModel
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.sampling import (
    Dist,
    Greedy,
    MinP,
    Penalties,
    SamplerChain,
    Temperature,
    TopK,
    TopP,
)
from qwq_gguf.sampling.shortlist import Shortlist, shortlist

VOCABULARY = 10_007  # no whole number of groups
CHAINS = {
    "greedy": SamplerChain((Greedy(),)),
    "temperature 0": SamplerChain((Temperature(0.0), Dist())),
    "temperature first": SamplerChain(
        (Temperature(0.6), TopK(40), TopP(0.95), MinP(0.01), Penalties(presence=1.0), Dist())
    ),
    "top_k first": SamplerChain((TopK(20), TopP(0.9), Temperature(1.3), Dist())),
    "min_p": SamplerChain((Temperature(1.5), MinP(0.02), Dist())),
    "all of many": SamplerChain((TopK(500), Dist())),
    "top_p": SamplerChain((Temperature(0.6), TopP(0.95), Dist())),
    "top_p first": SamplerChain((TopP(0.8), Temperature(1.3), MinP(0.02), Dist())),
    "little of it": SamplerChain((Temperature(0.9), TopP(0.1), Dist())),
}


def drawn(seed: int, ahead: float = 9) -> npt.NDArray[np.float32]:
    """Thirty tokens are so much likelier than the others."""
    dice = np.random.default_rng(seed)
    logits = dice.normal(0, 2.5, VOCABULARY).astype(np.float32)
    logits[dice.integers(0, VOCABULARY, 30)] += ahead
    return logits


@pytest.mark.parametrize("best", [1, 2, 40, 150])
@pytest.mark.parametrize("seed", range(5))
def test_the_best_are_on_it_and_few_others(best: int, seed: int) -> None:
    logits = drawn(seed)
    found = likely(logits, Shortlist(best=best))
    assert found is not None
    assert set(np.argsort(-logits)[:best]) <= set(found.tolist())
    assert found.size < 4 * best + 4
    assert (np.diff(found) > 0).all()


def test_what_is_as_good_as_equal_to_the_last_is_on_it() -> None:
    logits = np.full(VOCABULARY, -5, np.float32)
    logits[[7, 70, 7000]] = 3, np.nextafter(np.float32(3), np.float32(0)), 2.9
    found = likely(logits, Shortlist(best=1))
    assert found is not None
    assert found.tolist() == [7, 70]


def test_what_is_within_reach_of_the_best_is_on_it() -> None:
    logits = drawn(1)
    found = likely(logits, Shortlist(within=2.0))
    assert found is not None
    assert found.tolist() == np.flatnonzero(logits >= logits.max() - 2.0).tolist()


@pytest.mark.parametrize("scale", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("mass", [0.05, 0.5, 0.95, 0.999])
def test_top_p_keeps_of_it_what_it_keeps_of_all(mass: float, scale: float) -> None:
    short = 0
    for seed in range(40):
        logits = drawn(seed, ahead=20 if seed % 2 else 9)
        found = likely(logits, Shortlist(mass=mass, scale=scale))
        if found is None:
            continue
        short += 1
        kept = [nucleus(logits[ids].astype(float) / scale, mass) for ids in (found, slice(None))]
        assert kept[0] == kept[1]
        assert found.size <= logits.size // 8
    assert short >= 18


def nucleus(logits: npt.NDArray[np.float64], mass: float) -> list[float]:
    """The logits that top_p keeps, as its paper has it."""
    order = np.sort(logits)[::-1]
    parts = np.exp(order - order[0])
    end = int(np.searchsorted(np.cumsum(parts), mass * parts.sum()))
    return [float(each) for each in order[: end + 1]]


def test_where_top_p_ends_has_to_be_sure() -> None:
    """Ten tokens of a tenth each: whether 0.7 are seven or eight is a matter of rounding."""
    logits = np.full(VOCABULARY, -60, np.float32)
    logits[:10] = 5
    assert likely(logits, Shortlist(mass=0.7)) is None
    found = likely(logits, Shortlist(mass=0.75))
    assert found is not None
    assert found.tolist() == list(range(10))
    # The faint ones together decide: without them two tokens do, with them it takes three.
    logits = np.full(VOCABULARY, np.log(3e-7), np.float32)
    logits[:4] = np.log([0.4, 0.1, 0.3, 0.2])
    assert likely(logits, Shortlist(mass=0.699)) is None
    assert likely(logits, Shortlist(mass=0.69)) is not None


@pytest.mark.parametrize("wanted", [Shortlist(best=40), Shortlist(within=3.0), Shortlist(mass=0.9)])
def test_a_list_that_is_not_short_is_none(wanted: Shortlist) -> None:
    assert likely(np.zeros(VOCABULARY, np.float32), wanted) is None
    assert likely(np.full(VOCABULARY, -np.inf, np.float32), wanted) is None
    assert likely(np.full(VOCABULARY, np.nan, np.float32), wanted) is None
    assert likely(drawn(1), Shortlist(best=2000)) is None
    assert likely(drawn(1), Shortlist(mass=0.95, scale=5.0)) is None


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    arguments = {"gpu_layers": 0, "use_extra_bufts": False, "mmap": True, "threads": 1}
    timer = Timer(native.load(), arguments, tmp_path_factory.mktemp("zeros"))
    shape = ZeroModel(256, 256, 2, 2, one_kind(GgmlType.Q8_0), tokens=VOCABULARY)
    with timer.context(shape) as made:
        timer.decode(made, 1)
        yield made


def made_for(number: int) -> npt.NDArray[np.float32]:
    """Logits of which the list is short for one chain or the other."""
    return drawn(number, ahead=20 if number % 2 else 9)


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_it_is_short_as_often_as_it_is_compared(chain: SamplerChain) -> None:
    """Else the next test would compare the same with itself."""
    wanted = shortlist(chain)
    assert wanted is not None
    assert sum(likely(made_for(number), wanted) is not None for number in range(60)) >= 25


def picks(context: Any, chain: SamplerChain, count: int, *, short: bool, odd: bool) -> list[int]:
    library = native.load()
    pointer = library.api.llama_get_logits_ith(context, -1)
    logits = np.ctypeslib.as_array(pointer, (VOCABULARY,))
    found = []
    with NativeChain(
        library, chain, seed=3, vocab_size=VOCABULARY, context_size=count
    ) as native_chain:
        if not short:
            native_chain._short = None
        for number in range(count):
            logits[:] = made_for(number)
            if odd:
                native_chain.forbid(np.argsort(-logits)[:5].tolist())
                native_chain.bias({number: 20.0})
            token = native_chain.sample(context)
            assert token is not None
            found.append(token)
    return found


@pytest.mark.parametrize("odd", [False, True], ids=["plain", "forbidden and biased"])
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_the_same_token_comes_of_it(context: Any, chain: SamplerChain, odd: bool) -> None:
    short, whole = (picks(context, chain, 60, short=each, odd=odd) for each in (True, False))
    assert short == whole


def test_it_is_used(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so would it without this."""
    library = native.load()

    def fused(*_: object) -> int:
        raise AssertionError

    with NativeChain(
        library, CHAINS["top_k first"], seed=3, vocab_size=VOCABULARY, context_size=9
    ) as chain:
        monkeypatch.setattr(chain, "_fused", fused)
        pointer = library.api.llama_get_logits_ith(context, -1)
        np.ctypeslib.as_array(pointer, (VOCABULARY,))[:] = drawn(0)
        assert chain.sample(context) in np.argsort(-drawn(0))[:20]
