from __future__ import annotations

from dataclasses import replace

import pytest

from qwq_gguf.metadata import KeyValue, ValueType, boolean, f32, f64, i32, text, u32
from qwq_gguf.profiles import load_profile, profile_names, sampling_keys
from qwq_gguf.profiles.gguf_keys import read_sampling
from qwq_gguf.sampling import Greedy, Penalties, SamplerChain, Temperature, TopK


def as_metadata(*entries: KeyValue) -> dict[str, KeyValue]:
    return {entry.key: entry for entry in entries}


def of_profile(name: str) -> dict[str, tuple[ValueType, object]]:
    keys = sampling_keys(load_profile(name), context=131072, shipped=profile_names()).keys
    return {entry.key: (entry.type, entry.value) for entry in keys}


def test_the_keys_of_qwq() -> None:
    written = of_profile("qwq")
    assert written["general.sampling.sequence"] == (
        ValueType.STRING,
        "temperature;top_k;top_p;min_p;penalties",
    )
    assert written["general.sampling.top_k"] == (ValueType.INT32, 40)
    assert written["general.sampling.penalty_last_n"] == (ValueType.INT32, 131072)
    assert written["general.sampling.penalty_repeat"] == (ValueType.FLOAT32, 1.0)
    assert written["general.sampling.temp"][0] is ValueType.FLOAT32
    assert written["general.sampling.temp"][1] == pytest.approx(0.6)
    assert written["qwq_gguf.profile"] == (ValueType.STRING, "qwq")
    assert set(written) == {
        "general.sampling." + name for name in ("sequence", "temp", "top_k", "top_p", "min_p")
    } | {
        "general.sampling.penalty_last_n",
        "general.sampling.penalty_repeat",
        "qwq_gguf.profile",
    }


def test_what_the_keys_of_qwq_cannot_say_is_said() -> None:
    unsaid = sampling_keys(load_profile("qwq"), context=131072).unsaid
    assert len(unsaid) == 2
    assert "presence penalty 1" in unsaid[0]
    assert "counts the prompt too" in unsaid[1]


def test_dry_cannot_be_written_and_a_stage_that_is_off_is_not_missed() -> None:
    assert sampling_keys(load_profile("unsloth"), context=4096).unsaid == (
        "dry: GGUF has no key for its numbers",
    )


@pytest.mark.parametrize("name", profile_names())
def test_what_is_written_is_read_back(name: str) -> None:
    profile = load_profile(name)
    keys = sampling_keys(profile, context=131072, shipped=profile_names()).keys
    found = read_sampling(as_metadata(*keys))
    assert found.order == profile.chain.order[:-1]
    assert found.profile == name
    assert found.notes == ()
    for setting, value in found.values.items():
        wanted = profile.chain.settings()[setting]
        assert value == (131072 if isinstance(wanted, str) else wanted), setting


def test_a_profile_of_ones_own_is_not_named() -> None:
    keys = sampling_keys(load_profile("qwq"), context=4096, shipped=()).keys
    assert "qwq_gguf.profile" not in {entry.key for entry in keys}


def test_greedy_is_written_as_temperature_zero_at_the_end() -> None:
    chain = SamplerChain((Temperature(0.6), TopK(5), Penalties(repeat=1.1), Greedy()))
    keys = sampling_keys(replace(load_profile("qwq"), chain=chain), context=4096).keys
    found = read_sampling(as_metadata(*keys))
    assert found.order == ("top_k", "penalties", "temperature")
    assert found.values["temperature"] == 0.0


PREFIX = "general.sampling."


@pytest.mark.parametrize(
    "entry, setting, value",
    [
        (f32(PREFIX + "temp", 0.6), "temperature", 0.6),
        (f64(PREFIX + "temp", 0.7), "temperature", 0.7),
        (u32(PREFIX + "temp", 1), "temperature", 1.0),
        (f32(PREFIX + "temp", -1.0), "temperature", 0.0),
        (i32(PREFIX + "top_k", -1), "top_k", 0),
        (u32(PREFIX + "top_k", 20), "top_k", 20),
        (f32(PREFIX + "top_p", 1.5), "top_p", 1.0),
        (f32(PREFIX + "min_p", -0.1), "min_p", 0.0),
        (f32(PREFIX + "penalty_repeat", 1.1), "repeat_penalty", 1.1),
        (i32(PREFIX + "penalty_last_n", 64), "penalty_window", 64),
        (i32(PREFIX + "penalty_last_n", 2**31 - 1), "penalty_window", 1 << 24),
        (f32(PREFIX + "xtc_threshold", 0.2), "xtc_threshold", 0.2),
    ],
)
def test_numbers_mean_what_llama_cpp_takes_them_for(
    entry: KeyValue, setting: str, value: object
) -> None:
    found = read_sampling(as_metadata(entry))
    assert dict(found.values) == {setting: value}
    assert found.keys[setting] == entry.key
    assert found.notes == ()


@pytest.mark.parametrize(
    "entry",
    [
        f32(PREFIX + "temp", float("nan")),
        f32(PREFIX + "temp", float("inf")),
        text(PREFIX + "temp", "0.6"),
        boolean(PREFIX + "top_k", True),
        f32(PREFIX + "top_k", 40.0),
        f32(PREFIX + "top_p", 0.0),
        f32(PREFIX + "penalty_repeat", 0.0),
        f32(PREFIX + "xtc_threshold", 3.0),
        i32(PREFIX + "mirostat", 2),
        u32(PREFIX + "sequence", 1),
    ],
)
def test_nonsense_is_noted_and_left_aside(entry: KeyValue) -> None:
    found = read_sampling(as_metadata(entry))
    assert (dict(found.values), found.order) == ({}, None)
    assert len(found.notes) == 1
    assert entry.key in found.notes[0]


def test_a_negative_window_switches_penalties_off_as_in_llama_cpp() -> None:
    found = read_sampling(as_metadata(i32(PREFIX + "penalty_last_n", -1)))
    assert found.values["penalty_window"] == 0
    assert "penalises nothing" in found.notes[0]


@pytest.mark.parametrize(
    "sequence, order, notes",
    [
        ("temperature;top_k", ("temperature", "top_k"), 0),
        (
            "Temp;top-k;topp;nucleus;typ;min_p;",
            ("temperature", "top_k", "top_p", "typ_p", "min_p"),
            1,
        ),
        ("top_k;infill;adaptive_p;dist", ("top_k",), 3),
        ("top_k;top_k", ("top_k",), 1),
        ("", None, 0),
        (";;", None, 0),
        ("x" * 100_000, None, 1),
    ],
)
def test_the_sequence(sequence: str, order: tuple[str, ...] | None, notes: int) -> None:
    found = read_sampling(as_metadata(text(PREFIX + "sequence", sequence)))
    assert found.order == order
    assert len(found.notes) == notes
    assert all(len(note) < 200 for note in found.notes)
