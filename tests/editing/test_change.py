"""What a file will say: decided without touching it."""

from __future__ import annotations

import math

import pytest

from qwq_gguf.conversion.overrides import apply_overrides
from qwq_gguf.editing import change_entries, stretch
from qwq_gguf.editing.change import parse_kv
from qwq_gguf.errors import ConfigError, TemplateError
from qwq_gguf.gguf_file.header_slack import with_room
from qwq_gguf.metadata import KeyValue, ValueType, array, boolean, f32, i32, text, u32, u64
from qwq_gguf.profiles import load_profile, parse_profile, resolve
from qwq_gguf.resources import profiles_dir
from support.chat_templates import CHATML, QWQ

ENTRIES = (
    text("general.architecture", "qwen2"),
    i32("general.sampling.top_k", 3),
    text("general.name", "Some"),
    u32("qwen2.context_length", 40960),
    u64("qwen2.odd", 5),
    array("tokenizer.ggml.tokens", ValueType.STRING, ["a", "b"]),
    boolean("tokenizer.ggml.add_bos_token", True),
    text("tokenizer.chat_template", QWQ),
)
FILE = {entry.key: entry for entry in ENTRIES}


def values(entries: tuple[KeyValue, ...]) -> dict[str, object]:
    return {entry.key: entry.value for entry in entries}


def test_a_profile_replaces_all_sampling_keys() -> None:
    changed = change_entries(FILE, profile=load_profile("qwen-llama-cpp"))
    after = {entry.key: entry for entry in changed.entries}
    assert after["general.sampling.sequence"].value == "top_k;top_p;min_p;temperature"
    assert after["qwq_gguf.profile"].value == "qwen-llama-cpp"
    assert resolve(after).profile == load_profile("qwen-llama-cpp")
    assert "general.sampling.top_k: 3 -> 40" in changed.lines
    assert not [line for line in changed.lines if line.startswith("qwen2.")]
    again = change_entries(after, profile=load_profile("qwen-llama-cpp"))
    assert again.lines == ()


def test_the_room_is_no_change_and_single_keys_win() -> None:
    laid = {entry.key: entry for entry in with_room(ENTRIES)}
    assert change_entries(laid).lines == ()
    changed = change_entries(laid, profile=load_profile("qwq"), kv=["general.sampling.temp=0.7"])
    assert values(changed.entries)["general.sampling.temp"] == pytest.approx(0.7)
    assert "qwq_gguf.room" not in values(changed.entries)


def test_a_number_by_hand_takes_out_the_name_that_would_hide_it() -> None:
    named = {e.key: e for e in change_entries(FILE, profile=load_profile("qwq")).entries}
    changed = change_entries(named, kv=["general.sampling.temp=0.7"])
    after = {entry.key: entry for entry in changed.entries}
    assert [note for note in changed.notes if "no longer names profile qwq" in note]
    found = resolve(after).profile
    assert found.chain.settings()["temperature"] == pytest.approx(0.7)
    for harmless in ("general.sampling.temp=0.6", "general.name=Other"):
        changed = change_entries(named, kv=[harmless])
        assert values(changed.entries)["qwq_gguf.profile"] == "qwq"
    both = ["general.sampling.temp=0.7", "qwq_gguf.profile=qwen-reference"]
    assert values(change_entries(named, kv=both).entries)["qwq_gguf.profile"] == "qwen-reference"


def test_a_profile_of_ones_own_is_carried_by_its_numbers() -> None:
    shipped = profiles_dir().joinpath("qwq.toml").read_text(encoding="utf-8")
    own = shipped.replace("value = 0.6", "value = 0.7")
    for text_, name in ((own, "qwq"), (shipped.replace('name = "qwq"', 'name = "mine"'), "mine")):
        changed = change_entries(FILE, profile=parse_profile(text_))
        assert "qwq_gguf.profile" not in values(changed.entries), "nobody could look it up"
        assert [note for note in changed.notes if f"the name {name}: it is your own" in note]
    assert values(change_entries(FILE, profile=parse_profile(shipped)).entries)["qwq_gguf.profile"]


def test_a_chat_template_is_checked() -> None:
    changed = change_entries(FILE, chat_template=CHATML)
    assert values(changed.entries)["tokenizer.chat_template"] == CHATML
    assert [note for note in changed.notes if "does not open the thought" in note]
    with pytest.raises(TemplateError, match="malformed"):
        change_entries(FILE, chat_template="{% for")
    with pytest.raises(TemplateError, match="what the user says is not in the prompt"):
        change_entries(FILE, chat_template="root:x:0:0:root:/root:/bin/bash")


@pytest.mark.parametrize(
    "argument, expected",
    [
        ("general.name=Other: a name", text("general.name", "Other: a name")),
        ("general.sampling.top_k=-1", i32("general.sampling.top_k", -1)),
        ("tokenizer.ggml.add_bos_token=false", boolean("tokenizer.ggml.add_bos_token", False)),
        ("qwen2.odd=7", u64("qwen2.odd", 7)),
        ("general.sampling.min_p=0.1", f32("general.sampling.min_p", 0.1)),
        ("general.sampling.sequence=top_k", text("general.sampling.sequence", "top_k")),
        ("my.key=int:5", u32("my.key", 5)),
        ("general.name=str:x", text("general.name", "x")),
    ],
)
def test_keys_by_hand(argument: str, expected: KeyValue) -> None:
    changed = {e.key: e for e in change_entries(FILE, kv=[argument]).entries}
    assert changed[expected.key] == expected


@pytest.mark.parametrize(
    "argument, word",
    [
        ("general.name", "KEY=VALUE"),
        ("my.key=5", "its type has to be said"),
        ("tokenizer.ggml.tokens=x", "array"),
        ("general.architecture=llama", "follows from the file"),
        ("qwen2.context_length=long", "no int"),
        ("qwq_gguf.room=str:x", "keeps room"),
    ],
)
def test_keys_that_cannot_be_set(argument: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        change_entries(FILE, kv=[argument])


def test_what_llama_cpp_would_not_do_is_noted() -> None:
    changed = change_entries(FILE, kv=["general.sampling.penalty_last_n=-1"])
    assert [note for note in changed.notes if "penalises nothing" in note]


def test_parse_kv_says_the_type_of_new_keys() -> None:
    new = parse_kv("general.sampling.temp=0.1", {})
    assert apply_overrides((), [new]) == (f32("general.sampling.temp", 0.1),)


def test_yarn_and_back() -> None:
    changed = change_entries(FILE, yarn=4)
    after = {entry.key: entry for entry in changed.entries}
    assert after["qwen2.rope.scaling.type"] == text("qwen2.rope.scaling.type", "yarn")
    assert after["qwen2.rope.scaling.factor"] == f32("qwen2.rope.scaling.factor", 4.0)
    original = "qwen2.rope.scaling.original_context_length"
    assert after[original] == u32(original, 32768)
    assert after["qwen2.context_length"] == u32("qwen2.context_length", 131072)
    assert [note for note in changed.notes if "short ones worse" in note]
    twice = {entry.key: entry for entry in change_entries(after, yarn=2).entries}
    assert twice["qwen2.context_length"].value == 65536
    back = {entry.key: entry for entry in change_entries(after, yarn=1).entries}
    assert not [key for key in back if "rope.scaling" in key]
    assert back["qwen2.context_length"].value == 32768


@pytest.mark.parametrize("number", [-1, 3, 99999])
def test_a_token_that_is_none_is_refused(number: int) -> None:
    tokens = array("tokenizer.ggml.tokens", ValueType.STRING, ["a", "b", "c"])
    there = FILE | {tokens.key: tokens}
    key = "tokenizer.ggml.eos_token_id"
    with pytest.raises(ConfigError, match="no token of this file"):
        change_entries(there, kv=[f"{key}=int:{number}"])
    assert change_entries(there, kv=[f"{key}=int:2"]).lines


def test_yarn_of_a_short_context_is_of_use_beyond_that() -> None:
    changed = change_entries(
        FILE | {"qwen2.context_length": u32("qwen2.context_length", 4096)}, yarn=4
    )
    assert [note for note in changed.notes if "longer than about 4096 tokens" in note]
    usual = change_entries(FILE, yarn=4).notes
    assert [note for note in usual if "longer than about 8192 tokens" in note]


def test_the_length_a_model_was_trained_at() -> None:
    long = {**FILE, "qwen2.context_length": u32("qwen2.context_length", 131072)}
    assert stretch(long, 4).entries[-1].value == 131072
    other = {
        "general.architecture": text("general.architecture", "llama"),
        "llama.context_length": u32("llama.context_length", 131072),
    }
    assert stretch(other, 2).entries[-1].value == 262144


@pytest.mark.parametrize("factor", [0.5, 33, math.nan, math.inf, -4])
def test_absurd_factors(factor: float) -> None:
    with pytest.raises(ConfigError, match="makes no sense"):
        stretch(FILE, factor)


def test_another_scaling_stays() -> None:
    linear = {**FILE, "t": text("qwen2.rope.scaling.type", "linear")}
    linear["qwen2.rope.scaling.type"] = linear.pop("t")
    with pytest.raises(ConfigError, match="another way"):
        stretch(linear, 4)
    with pytest.raises(ConfigError, match="does not say"):
        stretch({}, 4)


def test_wide_numbers_keep_all_of_themselves() -> None:
    wide = {
        "a": KeyValue("a", ValueType.UINT64, 1),
        "b": KeyValue("b", ValueType.FLOAT64, 1.0),
    }
    changed = change_entries(wide, kv=["a=5000000000", "b=1.0000000001"])
    assert [entry.value for entry in changed.entries] == [5_000_000_000, 1.0000000001]
    assert [entry.type for entry in changed.entries] == [ValueType.UINT64, ValueType.FLOAT64]
    assert changed.lines == ("a: 1 -> 5000000000", "b: 1.0 -> 1.0000000001")
