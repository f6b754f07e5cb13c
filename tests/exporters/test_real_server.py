"""What exporters call settings, a real llama-server knows by these names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from qwq_gguf.exporters import openwebui
from qwq_gguf.sampling import Dist, SamplerChain
from support.exports import EVERYTHING, FACTS, SEQUENCE
from support.llama_server import ask, llama_server, needs_llama_server
from support.tiny_gguf import write_random

pytestmark = needs_llama_server


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = write_random(tmp_path_factory.mktemp("server") / "tiny.gguf", context=512)
    with llama_server(model, context=512) as found:
        yield found


def test_open_webuis_parameters_reach_it(address: str) -> None:
    (model,) = json.loads(openwebui.export(EVERYTHING, FACTS).files["openwebui.json"])
    params = dict(model["params"])
    custom = params.pop("custom_params")
    params.pop("reasoning_tags")  # Open WebUI keeps these for itself
    # Open WebUI makes an object of this text (convert_logit_bias_input_to_json).
    biases = [pair.split(":") for pair in params.pop("logit_bias").split(",")]
    params["logit_bias"] = {token: int(bias) for token, bias in biases}
    stops = [bytes(text, "utf-8").decode("unicode_escape") for text in params.pop("stop")]
    # The custom parameters are laid over the others.
    body = {**params, **custom, "stop": stops, "prompt": "a", "n_predict": 1}
    applied = ask(address, "/completion", body)["generation_settings"]
    assert applied["samplers"] == SEQUENCE.split(";")
    assert applied["stop"] == stops
    assert applied["logit_bias"] == [{"bias": -2.0, "token": 65}, {"bias": -100.0, "token": 66}]
    for name in {*params, *custom} - {"samplers", "num_ctx", "logit_bias"}:
        wanted = {**params, **custom}[name]
        expected = pytest.approx(wanted) if isinstance(wanted, float) else wanted
        assert applied[name] == expected, name


def test_a_stage_that_is_not_named_does_not_exist(address: str) -> None:
    # Why the order is sent at all: the default has stages of its own.
    alone = replace(EVERYTHING, chain=SamplerChain((*EVERYTHING.chain.stages[3:5], Dist())))
    (model,) = json.loads(openwebui.export(alone, FACTS).files["openwebui.json"])
    custom = model["params"]["custom_params"]
    body = {"prompt": "a", "n_predict": 1}
    assert "min_p" in ask(address, "/completion", body)["generation_settings"]["samplers"]
    applied = ask(address, "/completion", body | custom)["generation_settings"]
    assert applied["samplers"] == ["temperature", "top_k"]
