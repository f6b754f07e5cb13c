from __future__ import annotations

import numpy as np
import pytest

from qwq_gguf.profiles import load_profile
from qwq_gguf.sampling import Dist, Greedy, SamplerChain, Temperature, TopK, TopP
from qwq_gguf.sampling.compare import compare_chains
from qwq_gguf.sampling.reference import Situation

LOGITS = np.log([0.05, 0.45, 0.22, 0.13, 0.09, 0.035, 0.025])
CHAINS = {
    "temperature first": SamplerChain((Temperature(0.6), TopP(0.95), Dist())),
    "top_p first": SamplerChain((TopP(0.95), Temperature(0.6), Dist())),
    "greedy": SamplerChain((Greedy(),)),
}


def test_rows_are_the_tokens_kept_by_any_by_the_models_probability() -> None:
    found = compare_chains(CHAINS, LOGITS)
    assert [row.token for row in found.rows] == [1, 2, 3, 4, 0, 5]
    assert found.kept == {"temperature first": 4, "top_p first": 6, "greedy": 1}
    assert found.rows[0].chains["greedy"] == 1.0
    assert found.rows[-1].chains["temperature first"] == 0.0
    assert found.rows[-1].model == pytest.approx(0.035, abs=1e-6)
    for name in CHAINS:
        assert sum(row.chains[name] for row in found.rows) == pytest.approx(1.0)


def test_mass_and_entropy() -> None:
    found = compare_chains({"two": SamplerChain((TopK(2), Dist()))}, np.log([0.4, 0.4, 0.2]))
    assert found.mass["two"] == pytest.approx(0.8, abs=1e-6)
    assert found.entropy["two"] == pytest.approx(1.0, abs=1e-6)
    assert compare_chains(CHAINS, LOGITS).entropy["greedy"] == 0.0


def test_what_was_said_before_counts() -> None:
    chains = {name: load_profile(name).chain for name in ("qwq", "qwen-reference")}
    before = compare_chains(chains, LOGITS)
    after = compare_chains(chains, LOGITS, Situation(generated=[1]))
    assert after.rows[0].chains["qwq"] < before.rows[0].chains["qwq"]
    assert after.rows[0].chains["qwen-reference"] == before.rows[0].chains["qwen-reference"]
    assert after.kept == before.kept
