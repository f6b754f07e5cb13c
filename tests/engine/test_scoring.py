"""Logits along given texts, and what matrices are fed: planned by lengths, computed as by hand."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from qwq_gguf.engine.model import Model
from qwq_gguf.engine.scoring.inputs import Inputs
from qwq_gguf.engine.scoring.rounds import Cut, batch_for, rounds
from qwq_gguf.engine.scoring.scorer import ScoredText, Scorer
from qwq_gguf.engine.session import Session
from qwq_gguf.errors import ModelError
from qwq_gguf.sampling import Greedy, SamplerChain
from support.rounding import rounding


class TestRounds:
    def test_texts_are_together_as_far_as_there_is_room(self) -> None:
        found = list(rounds([4, 4, 4, 9, 2], context=10, sequences=3, batch=100))
        assert [each.texts for each in found] == [range(2), range(2, 3), range(3, 4), range(4, 5)]
        assert found[0].decodes == ((Cut(0, 0, 4), Cut(1, 0, 4)),)

    def test_no_more_of_them_than_sequences(self) -> None:
        found = list(rounds([1] * 5, context=100, sequences=2, batch=100))
        assert [len(each.texts) for each in found] == [2, 2, 1]

    def test_a_long_text_is_cut_into_equal_parts(self) -> None:
        (only,) = rounds([100], context=100, sequences=1, batch=48)
        sizes = [cut.end - cut.first for cuts in only.decodes for cut in cuts]
        assert sizes == [33, 33, 34]

    def test_no_decode_is_larger_than_a_batch(self) -> None:
        for each in rounds([30, 70, 8, 61], context=400, sequences=4, batch=64):
            assert all(sum(c.end - c.first for c in cuts) <= 64 for cuts in each.decodes)
            whole = {cut.text: cut.end for cuts in each.decodes for cut in cuts}
            assert whole == {0: 30, 1: 70, 2: 8, 3: 61}

    def test_a_text_that_is_too_long_is_refused(self) -> None:
        with pytest.raises(ValueError, match="11 tokens"):
            list(rounds([11], context=10, sequences=1, batch=5))

    def test_a_batch_is_as_large_as_its_logits_may_be(self) -> None:
        assert (batch_for(320), batch_for(152064), batch_for(1 << 22)) == (512, 512, 32)


def _tokens(count: int, seed: int) -> list[int]:
    return [int(token) for token in np.random.default_rng(seed).integers(5, 60, count)]


@pytest.mark.parametrize("apart", [False, True])
def test_rows_are_the_logits_that_a_session_has_there(model: Model, apart: bool) -> None:
    texts = [ScoredText(_tokens(20, n), 10) for n in range(3)]
    with Scorer(model, sequences=2, apart=apart) as scorer:
        found = list(scorer.rows(texts))
    assert [(rows.text, rows.first, len(rows.logits)) for rows in found] == [
        (0, 10, 9),
        (1, 10, 9),
        (2, 10, 9),
    ]
    with closing(Session(model)) as session:
        for rows in found:
            prompt = texts[rows.text].tokens[: rows.first + 3]
            generation = session.generate(prompt, SamplerChain((Greedy(),)), seed=0, max_tokens=1)
            next(iter(generation))
            generation.close()
            assert rows.logits[2] == pytest.approx(session.logits(), abs=rounding(model, 2e-3))


def test_a_scorer_of_a_closed_model_says_so(random_gguf: object) -> None:
    model = Model.load(random_gguf, threads=1, context=64)  # type: ignore[arg-type]
    scorer = Scorer(model, sequences=1)
    model.close()
    with pytest.raises(ModelError):
        list(scorer.rows([ScoredText(_tokens(20, 0), 10)]))


def test_inputs_are_summed_column_by_column(model: Model) -> None:
    texts = [ScoredText(_tokens(24, n), 0) for n in range(4)]
    inputs = Inputs()
    with Scorer(model, sequences=2, apart=True, on_tensor=inputs.on_tensor) as scorer:
        assert list(scorer.run(texts)) == [2, 4]
    for name, entry in inputs.sums.items():
        assert name.startswith("blk.")
        assert entry.counts.tolist() == [4 * 24]
        assert entry.sums.min() >= 0
        assert entry.sums.any()
    q, k = (inputs.sums[f"blk.0.attn_{part}.weight"].sums for part in "qk")
    assert (q == k).all()


def test_a_text_below_sixteen_tokens_is_not_summed(model: Model) -> None:
    inputs = Inputs()
    with Scorer(model, sequences=1, on_tensor=inputs.on_tensor) as scorer:
        list(scorer.run([ScoredText(_tokens(15, 0), 0)]))
    assert inputs.sums == {}


def test_the_output_matrix_is_summed_when_asked_for(model: Model) -> None:
    inputs = Inputs(output=True)
    with Scorer(model, sequences=1, on_tensor=inputs.on_tensor) as scorer:
        list(scorer.run([ScoredText(_tokens(16, 0), 0)]))
    assert inputs.sums["output.weight"].counts.tolist() == [16]
