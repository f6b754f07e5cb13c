"""The order of `qwen-reference` is Transformers', but for where min_p stands."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.profiles import load_profile
from qwq_gguf.sampling import Dist, MinP, Penalties, SamplerChain, Stage, Temperature, TopK, TopP
from qwq_gguf.sampling.reference import Situation, apply_chain
from support.transformers_chain import transformers_distribution

RECORDED = json.loads((Path(__file__).parent / "transformers_vectors.json").read_text("utf-8"))
VECTORS = RECORDED["vectors"]


def chain_of(settings: Mapping[str, float]) -> SamplerChain:
    """The stages of Transformers' `generate`, in its order."""
    stages: list[Stage] = [
        Penalties(repeat=settings.get("repetition_penalty", 1.0), window="context"),
        Temperature(settings["temperature"]),
        TopK(int(settings.get("top_k", 0))),
        TopP(settings.get("top_p", 1.0)),
        MinP(settings.get("min_p", 0.0)),
    ]
    return SamplerChain((*stages, Dist()))


def left_by(chain: SamplerChain, vector: Mapping[str, Any]) -> dict[int, float]:
    situation = Situation(prompt=vector["tokens"][:8], generated=vector["tokens"][8:])
    return apply_chain(chain, vector["logits"], situation).as_dict()


def check(got: Mapping[int, float], expected: Mapping[int, float]) -> None:
    assert got.keys() == expected.keys()
    for token, probability in expected.items():
        assert got[token] == pytest.approx(probability, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("number", range(len(VECTORS)))
def test_the_chain_leaves_what_transformers_leaves(number: int) -> None:
    vector = VECTORS[number]
    expected = {int(token): p for token, p in vector["left"].items()}
    check(left_by(chain_of(vector["settings"]), vector), expected)


def test_qwen_reference_agrees_where_both_can() -> None:
    """Without min_p and presence penalty, which is how the profile ships."""
    chain = load_profile("qwen-reference").chain
    settings = {"temperature": 0.6, "top_k": 40, "top_p": 0.95}
    vectors = [vector for vector in VECTORS if vector["settings"] == settings]
    assert len(vectors) == 3
    for vector in vectors:
        check(left_by(chain, vector), {int(token): p for token, p in vector["left"].items()})


def test_the_order_is_what_makes_them_agree() -> None:
    """llama.cpp's order leaves other tokens from the same numbers."""
    settings = {"temperature": 0.6, "top_k": 40, "top_p": 0.95}
    chain = SamplerChain((TopK(40), TopP(0.95), Temperature(0.6), Dist()))
    vectors = [vector for vector in VECTORS if vector["settings"] == settings]
    assert any(
        left_by(chain, vector).keys() != {int(token) for token in vector["left"]}
        for vector in vectors
    )


@pytest.mark.skipif(
    not (importlib.util.find_spec("torch") and importlib.util.find_spec("transformers")),
    reason="compares with the installed Transformers, of which there is none",
)
def test_the_recorded_vectors_are_still_what_transformers_does() -> None:
    for vector in VECTORS:
        now = transformers_distribution(vector["settings"], vector["logits"], vector["tokens"])
        check(now, {int(token): p for token, p in vector["left"].items()})
