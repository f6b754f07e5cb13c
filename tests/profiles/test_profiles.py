from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.errors import ChainError, ProfileError
from qwq_gguf.profiles import (
    DEFAULT_PROFILE,
    TemplatePolicy,
    ThinkingTags,
    governor_settings,
    load_profile,
    parse_profile,
    profile_names,
    with_governor_settings,
)
from qwq_gguf.resources import profiles_dir
from qwq_gguf.sampling import Dist, MinP, Penalties, SamplerChain, Temperature, TopK, TopP
from qwq_gguf.thinking import Governor

SMALL = """
schema = 1
name = "small"
description = "d"
[chain]
order = ["top_k", "dist"]
source = "s"
[chain.top_k]
value = 40
source = "s"
"""


def test_qwq_is_temperature_then_truncation_then_a_presence_penalty() -> None:
    profile = load_profile("qwq")
    assert profile.chain == SamplerChain(
        (
            Temperature(0.6),
            TopK(40),
            TopP(0.95),
            MinP(0.01),
            Penalties(repeat=1.0, frequency=0.0, presence=1.0, window="generation"),
            Dist(),
        )
    )
    assert profile.context == 16384
    assert profile.stops[0] == "<|im_end|>"
    assert profile.thinking == ThinkingTags("<think>", "</think>")
    assert profile.template == TemplatePolicy(opens_thought=True, history="answers")
    assert profile_names()[0] == DEFAULT_PROFILE == "qwq"


def test_llama_cpp_is_in_its_default_order() -> None:
    assert ";".join(load_profile("llama-cpp").chain.order) == (
        "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature;dist"
    )


def test_qwen_reference_is_in_vllms_order() -> None:
    chain = load_profile("Qwen-Reference").chain
    assert chain.order == ("penalties", "temperature", "min_p", "top_k", "top_p", "dist")
    penalties = chain.stage(Penalties)
    assert penalties is not None
    assert penalties.off


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_number_has_a_source(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.chain.notes() == ()
    for setting in {*profile.chain.settings(), *profile.given}:
        if setting.startswith("temperature_"):
            continue  # the dynamic temperature's off values
        assert setting in profile.given
    for key in {*profile.given, "order", "context"}:
        assert len(profile.sources[key]) > 5
    assert ("stops" in profile.sources) == bool(profile.stops)
    assert ("governor" in profile.sources) == (profile.governor != Governor())


def test_a_governor_leaves_room_for_an_answer() -> None:
    qwq = load_profile("qwq")
    assert qwq.governor.budget is not None
    assert qwq.governor.budget < qwq.context
    assert qwq.governor.message
    assert parse_profile(SMALL).governor == Governor()
    told = "[governor]\nbudget = 7\nmessage = 'Enough.'\nsource = 's'\n"
    assert parse_profile(SMALL + told).governor == Governor(7, "Enough.")


def test_a_governor_has_all_its_keys_in_a_profile() -> None:
    told = """
[governor]
budget = false
seconds = 60
message = ""
reserve = 5
loops = false
answers = false
wind_down = 0.75
wind_down_bias = 4
hesitation_penalty = 1.5
margin = 0
source = "s"
"""
    governor = parse_profile(SMALL + told).governor
    assert governor == Governor(None, "", 60.0, 5, False, False, 0.75, 4.0, 1.5, 0.0)
    assert all(f"\n{key} = " in told for key in Governor.names())


@pytest.mark.parametrize(
    "text, settings",
    [
        ("seconds=60", {"seconds": 60.0}),
        ("wind-down = 0.5", {"wind_down": 0.5}),
        ("margin=false", {"margin": None}),
        ("loops=false", {"loops": False}),
        ("message=Enough, I answer.", {"message": "Enough, I answer."}),
        ('message="Enough."', {"message": "Enough."}),
        ('message=a "word"', {"message": 'a "word"'}),
    ],
)
def test_a_key_of_the_governor_as_a_flag_has_it(text: str, settings: dict[str, Any]) -> None:
    assert governor_settings(text) == settings
    assert with_governor_settings(Governor(5), settings) == replace(Governor(5), **settings)


@pytest.mark.parametrize(
    "text, message",
    [
        ("secconds=60", "unknown key governor.secconds"),
        ("source=me", "unknown key governor.source"),
        ("seconds", "governor.seconds has no value"),
        ("seconds=", "governor.seconds has no value"),
        ("seconds=soon", "not valid TOML"),
        ("seconds='60'", "governor.seconds must be a number"),
        ("loops=1", "governor.loops must be true or false"),
        ("budget=3\nreserve=4", "unknown key governor.reserve"),
    ],
)
def test_what_is_no_key_of_the_governor(text: str, message: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(message)):
        governor_settings(text)


def test_a_governor_takes_no_unknown_key() -> None:
    with pytest.raises(ProfileError, match=r"unknown key governor\.secconds") as caught:
        with_governor_settings(Governor(), {"secconds": 3})
    assert caught.value.hint == "did you mean seconds?"


@pytest.mark.parametrize(
    "table, wanted",
    [
        ("", None),
        ("[template]\nhistory = 'all'", None),
        ("[template]\nthinking = 'on'", True),
        ("[template]\nthinking = 'Off'", False),
        ("[template]\nthinking = false", False),
        ("[template]\nenable_thinking = true", True),
        ("[template]\nenable_thinking = false", False),
        ("[governor]\nbudget = 0\nsource = 's'", False),
        ("[template]\nthinking = 'on'\n[governor]\nbudget = 0\nsource = 's'", False),
    ],
)
def test_a_profile_may_turn_thoughts_on_or_off(table: str, wanted: bool | None) -> None:
    profile = parse_profile(SMALL + table)
    assert profile.wants_thoughts is wanted
    assert profile.with_thinking(True).wants_thoughts is True
    assert profile.with_thinking(False).wants_thoughts is False


def test_what_thoughts_look_like_is_data() -> None:
    tags = parse_profile(
        SMALL + "[thinking]\nopen = '<t>'\nclose = '</t>'\nalso = ['<a>']"
    ).thinking
    assert tags == ThinkingTags("<t>", "</t>", ("<a>",))
    words = "thought = ['inner', 'plan']\nanswer = 'said'\nrole = 'bot'"
    tags = parse_profile(SMALL + f"[thinking.channels]\n{words}").thinking
    assert tags.open == "<|channel|>inner<|message|>"
    assert tags.closing_text == "<|end|><|start|>bot<|channel|>said<|message|>"


def test_an_effort_is_a_word_of_a_profile() -> None:
    profile = parse_profile(SMALL + "[template]\nreasoning_effort = 'low'")
    assert profile.template.effort == "low"
    assert profile.with_effort("high").template.effort == "high"
    with pytest.raises(ProfileError):
        profile.with_effort("huge")


def test_a_profile_means_all_of_its_numbers() -> None:
    profile = load_profile("qwq")
    assert profile.named is None
    assert profile.says("order")
    assert profile.says("xtc_threshold")


@pytest.mark.parametrize("name", profile_names())
def test_a_shipped_file_loads_by_path_too(name: str) -> None:
    assert load_profile(profiles_dir() / f"{name}.toml") == load_profile(name)


def test_an_override_is_noted() -> None:
    profile = load_profile("qwq").with_overrides(temperature=0.7, top_k=None)
    assert profile.chain.settings()["temperature"] == 0.7
    assert profile.sources["temperature"] == "command line"
    assert profile.sources["top_k"] == load_profile("qwq").sources["top_k"]


def test_a_number_outside_the_order_is_kept_and_warned_about() -> None:
    profile = parse_profile(SMALL + '[chain.repeat_penalty]\nvalue = 1.1\nsource = "s"\n')
    assert profile.given["repeat_penalty"] == 1.1
    assert profile.notes() == (
        "repeat_penalty does nothing: it is set, but the order has no such stage",
    )
    assert parse_profile(SMALL).notes() == ()


@pytest.mark.parametrize(
    "change, message, hint",
    [
        (("schema = 1", "schema = 2"), "schema is not one", None),
        (("schema = 1", ""), "schema is not one", None),
        (("description", "descripton"), "unknown key descripton", "did you mean description?"),
        (("[chain.top_k]", "[chain.topk]"), "unknown key chain.topk", "did you mean top_k?"),
        (("value = 40", "valu = 40"), "unknown key chain.top_k.valu", "did you mean value?"),
        (("value = 40", ""), "chain.top_k has no value", None),
        (("value = 40", "value = -1"), "top_k: k is out of range", None),
        (("value = 40", 'value = "many"'), "top_k: k is out of range", None),
        (("value = 40", "value = true"), "top_k: k is out of range", None),
        (('40\nsource = "s"', "40"), "chain.top_k.source must be a text", None),
        (('"top_k", "dist"', '"top_k"'), "no stage picks a token", None),
        (('"top_k", "dist"', '"top_kk", "dist"'), "no such stage", "did you mean top_k?"),
        (('["top_k", "dist"]', '"top_k"'), "chain.order must be a list", None),
        (('["top_k", "dist"]', "[1]"), "chain.order must be a list", None),
        (("schema", "x = [[[1\nschema"), "not valid TOML", None),
        (("schema", "x = " + "[" * 30000 + "\nschema"), "nested more than 32 deep", None),
        (("", "[stops]\ntexts = [1]\nsource='s'"), "stops.texts must be a list", None),
        (("", "[stops]\ntexts = ['']\nsource='s'"), "a stop must be a short text", None),
        (("", "[context]\ntokens = 1.5\nsource='s'"), "must be a whole number", None),
        (("", "[context]\ntokens = 1\nsource='s'"), "out of range", None),
        (("", "[template]\nhistory = 'none'"), "template.history is unknown", None),
        (("", "[template]\nopens_thought = 1"), "must be true or false", None),
        (("", "[template]\nthinking = 'maybe'"), "template.thinking is unknown", None),
        (("", "[template]\nenable_thinking = 'no'"), "must be true or false", None),
        (
            ("", "[template]\nenable_thinking = true\nthinking = 'on'"),
            "template.thinking and template.enable_thinking: one of them",
            None,
        ),
        (("", "[thinking]\nopen = '</think>'"), "must differ", None),
        (("", "[thinking]\nstart = '<think>'"), "unknown key thinking.start", None),
        (("", "[governor]\nreserve = 1.5\nsource='s'"), "governor.reserve must be a whole", None),
        (("", "[governor]\nmargin = 'a'\nsource='s'"), "governor.margin must be a number", None),
        (("", "[governor]\nmargin = inf\nsource='s'"), "governor.margin must be a number", None),
        (("", "[governor]\nwind_down = 2\nsource='s'"), "wind_down is out of range", None),
        (("", "[governor]\nloops = 1\nsource='s'"), "governor.loops must be true or false", None),
        (("", "[template]\nreasoning_effort = 'huge'"), "there is no such effort", None),
        (("", "[thinking]\nalso = 'x'"), "thinking.also must be a list", None),
        (("", "[thinking]\nalso = ['<think>']"), "must differ", None),
        (("", "[thinking.channels]\nstart = 1"), "channels.start must be a text", None),
        (("", "[thinking.channels]\nstart = '<|end|>'"), "marks of channels must differ", None),
        (("", "[thinking.channels]\nname = 'x'"), "unknown key thinking.channels.name", None),
        (("", "[thinking]\nopen = 'x'\n[thinking.channels]"), "in the place of", None),
        (("", "[[fits]]\nnames = ['x']"), "fits.architectures names none", None),
        (("", "[[fits]]\narchitectures = ['x']\nshapes = [[1]]"), "must be a list of pairs", None),
        (("", "[[wrong]]\nsource = 's'\n[wrong.values]\nx = 1"), "no number of a chain", None),
        (("", "[[wrong]]\n[wrong.values]\ntop_k = 1"), "source must be a text", None),
        (("", "[runtimes]\nvllm = 'x'\nsource = 's'"), "unknown key runtimes.vllm", None),
        (("", "[runtimes]\nvllm_tools = 'x'"), "runtimes.source must be a text", None),
        (("", "[governor]\nbudget = true\nsource='s'"), "must be a whole number", None),
        (("", "[governor]\nbudget = -1\nsource='s'"), "the budget is out of range", None),
        (("", "[governor]\nbudget = 9"), "governor.source must be a text", None),
        (("", "[governor]\nbugdet = 9\nsource='s'"), "unknown key governor.bugdet", None),
        (("", "[chain.repeat_penalty]\nvalue = -1\nsource='s'"), "repeat is out of range", None),
    ],
)
def test_what_is_wrong_with_a_profile_is_said(
    change: tuple[str, str], message: str, hint: str | None, tmp_path: Path
) -> None:
    old, new = change
    path = tmp_path / "mine.toml"
    path.write_text(SMALL.replace(old, new) if old else SMALL + new)
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    assert message in caught.value.message
    assert caught.value.path == str(path)
    if hint is not None:
        assert caught.value.hint == hint


def test_a_chain_at_fault_is_a_chain_error() -> None:
    with pytest.raises(ChainError):
        parse_profile(SMALL.replace(', "dist"', ""))


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(ProfileError) as caught:
        load_profile("qwk")
    assert caught.value.hint == "did you mean qwq?"


@pytest.mark.parametrize("data", [b"\xff", b"#" * 70000])
def test_files_that_are_no_profile(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(data)
    with pytest.raises(ProfileError):
        load_profile(str(path))


def test_a_missing_file_is_said() -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile("nowhere/x.toml")
