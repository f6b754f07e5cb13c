"""What of a profile a runtime's words leave over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qwq_gguf.exporters.runtime_words import RuntimeWords, flatten, spoken_order
from qwq_gguf.exporters.runtimes import WORDS_OF
from qwq_gguf.profiles import Profile, load_profile
from qwq_gguf.profiles.gguf_keys import FileSampling
from qwq_gguf.sampling import (
    Dist,
    Dry,
    Greedy,
    Penalties,
    SamplerChain,
    Temperature,
    TopK,
    TopP,
    Xtc,
)
from qwq_gguf.sampling.stages import Stage, Window
from qwq_gguf.thinking import Governor

QWQ = load_profile("qwq")


def having(*stages: Stage) -> Profile:
    return replace(QWQ, chain=SamplerChain((*stages, Dist())), governor=Governor())


def unsaid(runtime: str, profile: Profile, sampling: FileSampling | None = None) -> tuple[str, ...]:
    return WORDS_OF[runtime].unsaid(profile, sampling)


def test_absent_stages_are_neutral_and_windows_are_numbers() -> None:
    flat = flatten(having(TopK(5), Penalties(1.2, window="context")), context=4000)
    assert flat.order == ("top_k", "penalties")
    assert flat.tokens == flat.number("penalty_window") == 4000
    assert (flat.number("top_p"), flat.number("temperature")) == (1.0, 1.0)
    assert flat.is_neutral("min_p")
    assert not flat.is_neutral("penalty_window")
    assert flatten(having(TopK(5))).is_neutral("penalty_window")
    assert flatten(having(Xtc(0.0, 0.2))).is_neutral("xtc_threshold")


def test_greedy_is_spoken_as_a_temperature_of_nothing_at_the_end() -> None:
    chain = SamplerChain((Temperature(0.7), TopK(5), Greedy()))
    greedy = replace(QWQ, chain=chain)
    assert spoken_order(greedy) == ("top_k", "temperature")
    assert flatten(greedy).number("temperature") == 0


@pytest.mark.parametrize(
    "runtime, window, complaint",
    [
        ("ollama", "generation", "penalties over the reply alone: Ollama counts the prompt"),
        ("ollama", "context", None),
        ("ollama", 64, None),
        ("lmstudio", 64, "penalties over the last 64 tokens: LM Studio has no setting for it; the"),
        ("vllm", "generation", None),
        ("vllm", 64, "penalties over the last 64 tokens: vLLM counts the reply"),
        ("vllm", "context", "penalties over everything: vLLM counts the reply"),
        ("transformers", "context", None),
        ("transformers", "generation", "the reply alone: Transformers counts everything"),
    ],
)
def test_what_penalties_look_at(runtime: str, window: Window, complaint: str | None) -> None:
    found = unsaid(runtime, having(Penalties(1.2, window=window)))
    if complaint is None:
        assert found == ()
    else:
        assert any(complaint in said for said in found)


def test_penalties_that_are_off_have_no_window_to_lose() -> None:
    assert unsaid("lmstudio", having(Penalties(1.0, window=64))) == ()


def test_what_the_file_carries_is_said() -> None:
    profile = having(TopK(5), Xtc(0.3, 0.2), Penalties(1.2, window=64))
    carried = FileSampling(
        ("top_k", "xtc", "penalties"),
        {"xtc_probability": 0.3, "xtc_threshold": 0.2, "penalty_window": 64},
    )
    assert unsaid("ollama", profile, carried) == ()
    assert unsaid("lmstudio", profile, carried) == ()
    other = replace(carried, order=("xtc", "top_k", "penalties"), values={"xtc_probability": 0.3})
    order, threshold = unsaid("ollama", profile, other)
    assert "this one has another" in order
    assert threshold.startswith("xtc threshold 0.2: Ollama has no setting for it; the GGUF can")


def test_a_stage_without_any_word_is_one_sentence() -> None:
    (said,) = unsaid("transformers", having(Dry(0.5, window="context")))
    assert said == "dry: Transformers has no such sampler"


def test_a_number_of_a_known_stage_is_named() -> None:
    (said,) = unsaid("ollama", having(Temperature(0.6, 0.2)))
    assert said == "temperature range 0.2: Ollama has no setting for it"


def test_a_fixed_order_is_only_missed_by_stages_that_hear_it() -> None:
    # The presence penalty is not heard by Transformers, so where it stands is no matter.
    presence = having(Temperature(0.6), TopP(0.9), Penalties(presence=1.0, window="context"))
    assert all("order" not in said for said in unsaid("transformers", presence))
    repeat = having(Temperature(0.6), TopP(0.9), Penalties(1.2, window="context"))
    assert any("always goes penalties > temperature" in s for s in unsaid("transformers", repeat))


def test_stops_and_context_are_missed_where_there_are_no_words() -> None:
    mute = RuntimeWords("Mute", {"order": "order", "temperature": "t"})
    found = mute.unsaid(having(Temperature(0.6)))
    assert len(found) == 2
    assert "the stops <|im_end|>" in found[0]
    assert "the context of 16384 tokens" in found[1]
    bounded = replace(having(Temperature(0.6)), governor=Governor(5000))
    assert set(mute.unsaid(bounded)) - set(found) == {
        "the thought budget of 5000 tokens: Mute is told nothing of it"
    }
    assert not any("budget" in said for said in unsaid("llama-server", bounded))
    steered = replace(bounded, governor=Governor(seconds=5.0, wind_down=0.5))
    assert set(mute.unsaid(steered)) - set(found) == {
        "the governor's seconds, wind_down: Mute knows nothing like it"
    }
