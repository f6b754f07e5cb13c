"""A model's place on a machine, as each runtime is told it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml  # type: ignore[import-untyped]

from qwq_gguf.exporters import lmstudio, ollama
from qwq_gguf.exporters.placement import Fitted
from qwq_gguf.exporters.runtimes import EXPORTERS
from qwq_gguf.profiles import load_profile
from support.exports import FACTS
from support.lmstudio import check_fields
from support.modelfile import parse

QWQ = load_profile("qwq")
PARTLY = Fitted(6144, "q8_0", 49, 40, 12)
WHOLE = Fitted(20_000, "f16", 49, 49)
NO_CARD = Fitted(8192, "f16", 49)


def files(runtime: str, fitted: Fitted | None) -> dict[str, str]:
    facts = replace(FACTS, context=40_960, fitted=fitted)
    return dict(EXPORTERS[runtime](QWQ, facts).files)


def unsaid(runtime: str, fitted: Fitted) -> str:
    facts = replace(FACTS, context=40_960, fitted=fitted)
    return "\n".join(EXPORTERS[runtime](QWQ, facts).unsaid)


def test_llama_server() -> None:
    script = files("llama-server", PARTLY)["llama-server.sh"]
    for flag in (
        "--ctx-size 6144",
        "--cache-type-k q8_0",
        "--cache-type-v q8_0",
        "--flash-attn on",
        "--n-gpu-layers 40",
        "--n-cpu-moe 12",
    ):
        assert flag in script
    preset = files("llama-server", PARTLY)["preset.ini"]
    assert "n-gpu-layers = 40\n" in preset
    plain = files("llama-server", NO_CARD)["llama-server.sh"]
    assert "--ctx-size 8192" in plain
    assert not any(word in plain for word in ("gpu-layers", "cache-type", "n-cpu-moe"))


@pytest.mark.parametrize("hub", [False, True])
def test_ollama(hub: bool) -> None:
    made = ollama.export(QWQ, replace(FACTS, context=40_960, fitted=PARTLY), hub=hub)
    if hub:
        said = json.loads(made.files["params"])
    else:
        lines = [words for words in parse(made.files["Modelfile"]) if words[0] == "PARAMETER"]
        said = {words[1]: int(words[2]) for words in lines if words[1].startswith("num_")}
    assert (said["num_ctx"], said["num_gpu"]) == (6144, 40)
    told = "\n".join(made.unsaid)
    assert "OLLAMA_KV_CACHE_TYPE=q8_0" in told
    assert "experts of the first 12 layers" in told
    assert "num_gpu" not in files("ollama", NO_CARD)["Modelfile"]
    assert "OLLAMA_KV_CACHE_TYPE" not in unsaid("ollama", WHOLE)


def test_lmstudio() -> None:
    def loading(fitted: Fitted) -> dict[str, object]:
        fields = lmstudio.load_fields(QWQ, replace(FACTS, context=40_960, fitted=fitted))
        check_fields(fields)
        return {each["key"].removeprefix("llm.load."): each["value"] for each in fields}

    kept = {"checked": True, "value": "q8_0"}
    assert loading(PARTLY) == {
        "contextLength": 6144,
        "llama.flashAttention": True,
        "llama.kCacheQuantizationType": kept,
        "llama.vCacheQuantizationType": kept,
        "llama.autoFit": False,
        "llama.acceleration.offloadRatio": 0.8163,
        "numCpuExpertLayersRatio": 0.2449,
    }
    assert loading(WHOLE)["llama.acceleration.offloadRatio"] == "max"
    assert loading(Fitted(512, "f16", 49, 0))["llama.acceleration.offloadRatio"] == "off"
    assert loading(NO_CARD) == {"contextLength": 8192}


def test_text_generation_webui() -> None:
    (model,) = yaml.safe_load(
        files("text-generation-webui", PARTLY)["user_data/models/config-user.yaml"]
    ).values()
    said = {name: model[name] for name in ("ctx_size", "cache_type", "gpu_layers", "extra_flags")}
    assert said == {
        "ctx_size": 6144,
        "cache_type": "q8_0",
        "gpu_layers": 40,
        "extra_flags": "--n-cpu-moe 12",
    }


@pytest.mark.parametrize("runtime", ["vllm", "openwebui", "transformers"])
def test_what_takes_the_context_alone_says_so(runtime: str) -> None:
    assert "6144" in "".join(files(runtime, PARTLY).values())
    told = unsaid(runtime, PARTLY)
    assert "a cache in q8_0" in told
    assert "40 of 49 layers" in told
    assert "fits this machine" not in unsaid(runtime, WHOLE)


@pytest.mark.parametrize("runtime", EXPORTERS)
def test_more_room_than_the_model_or_the_profile_has_changes_nothing(runtime: str) -> None:
    assert files(runtime, Fitted(1 << 20, "f16", 49)) == files(runtime, None)


def test_a_budget_follows_the_room() -> None:
    # 12,288 tokens of thought do not go into 6,144 tokens of context.
    assert "--reasoning-budget 12288" in files("llama-server", None)["llama-server.sh"]
    assert "--reasoning-budget 12288" not in files("llama-server", PARTLY)["llama-server.sh"]
