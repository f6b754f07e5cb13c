"""A flag, then a named profile, then the file's keys, then the profile its metadata suggests."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwq_gguf.errors import ChainError, ProfileError
from qwq_gguf.metadata import KeyValue, f32, i32, text
from qwq_gguf.profiles import (
    load_profile,
    profile_names,
    profile_text,
    resolve,
    sampling_keys,
)
from support.chat_templates import IF_ASKED, OPENS

PREFIX = "general.sampling."
QWQ_NAME = text("general.name", "QwQ 32B")
# What llama.cpp's converter writes from QwQ's generation_config.json.
CONVERTED = (
    QWQ_NAME,
    i32(PREFIX + "top_k", 20),
    f32(PREFIX + "top_p", 0.9),
    f32(PREFIX + "temp", 0.65),
    f32(PREFIX + "penalty_repeat", 1.05),
)


def as_metadata(*entries: KeyValue) -> dict[str, KeyValue]:
    return {entry.key: entry for entry in entries}


def test_nothing_but_a_name_gives_the_profile_of_its_kin() -> None:
    found = resolve(as_metadata(QWQ_NAME))
    assert found.profile == load_profile("qwq")
    assert found.reason == "general.name is QwQ 32B"
    assert set(found.origins.values()) == {"profile qwq"}
    assert set(found.origins) == {"order", *found.profile.chain.settings()}


def test_the_files_numbers_count_more_than_the_guess() -> None:
    found = resolve(as_metadata(*CONVERTED))
    settings = found.profile.chain.settings()
    assert found.profile.chain.order == load_profile("qwq").chain.order
    assert (settings["top_k"], settings["top_p"], settings["temperature"]) == (20, 0.9, 0.65)
    assert settings["repeat_penalty"] == 1.05
    assert settings["presence_penalty"] == 1.0
    assert found.origins["top_k"] == "general.sampling.top_k in the file"
    assert found.origins["repeat_penalty"] == "general.sampling.penalty_repeat in the file"
    assert found.origins["presence_penalty"] == found.origins["order"] == "profile qwq"
    assert found.profile.sources["top_k"] == "general.sampling.top_k in the file"
    # Who reads the name of a profile in an export finds other numbers there than the profile's.
    *_, own = found.reason.partition(", but ")
    for name in ("top_k", "top_p", "temperature", "repeat_penalty"):
        assert name in own
    assert "presence_penalty" not in own


def test_numbers_that_are_there_by_mistake_do_not_count() -> None:
    qwens = {"top_k": i32(PREFIX + "top_k", 20), "temp": f32(PREFIX + "temp", 0.7)}
    rest = (f32(PREFIX + "top_p", 0.8), f32(PREFIX + "penalty_repeat", 1.05))
    found = resolve(as_metadata(QWQ_NAME, *qwens.values(), *rest))
    assert found.profile.chain == load_profile("qwq").chain
    (note,) = found.notes
    assert "repeat_penalty 1.05 in the file give way to the profile's" in note
    # One number apart, they are what somebody meant.
    other = resolve(as_metadata(QWQ_NAME, qwens["temp"], i32(PREFIX + "top_k", 30), *rest))
    assert other.profile.chain.settings()["repeat_penalty"] == 1.05
    assert other.notes == ()


def test_the_files_order_counts_more_than_the_guess() -> None:
    found = resolve(as_metadata(QWQ_NAME, text(PREFIX + "sequence", "top_k;typ_p;temperature")))
    assert found.profile.chain.order == ("top_k", "typ_p", "temperature", "dist")
    assert found.origins["order"] == "general.sampling.sequence in the file"
    assert found.origins["temperature"] == "profile qwq"
    assert found.origins["typical_p"].startswith("off")
    assert found.notes == ()


def test_a_number_of_the_file_that_its_order_leaves_out_is_noted() -> None:
    found = resolve(as_metadata(*CONVERTED, text(PREFIX + "sequence", "top_k;top_p;temperature")))
    assert [note for note in found.notes if "repeat_penalty" in note]
    assert not [note for note in found.notes if "presence" in note]


def test_the_profile_named_in_the_file_has_what_no_key_carries() -> None:
    written = sampling_keys(load_profile("qwq"), context=131072, shipped=profile_names())
    found = resolve(as_metadata(QWQ_NAME, *written.keys))
    assert found.profile == load_profile("qwq")
    assert found.profile.chain.settings()["presence_penalty"] == 1.0
    assert found.reason == "the file's qwq_gguf.profile names it"
    assert found.notes == ()


def test_a_key_that_was_edited_since_counts_more_than_the_named_profile() -> None:
    written = sampling_keys(load_profile("qwq"), context=131072, shipped=profile_names())
    found = resolve(as_metadata(QWQ_NAME, *written.keys, f32(PREFIX + "temp", 0.9)))
    settings = found.profile.chain.settings()
    assert settings == {**load_profile("qwq").chain.settings(), "temperature": 0.9}
    assert found.profile.chain.order == load_profile("qwq").chain.order
    assert found.origins["temperature"] == "general.sampling.temp in the file"
    assert found.origins["order"] == found.origins["top_k"] == "profile qwq"
    assert found.reason.endswith("names it, but temperature as the file's own keys say")
    assert found.notes == (
        "general.sampling.temp is 0.9 in the file and 0.6 in profile qwq, which its "
        "qwq_gguf.profile names: it was edited since, and counts",
    )
    asked = resolve(as_metadata(*written.keys, f32(PREFIX + "temp", 0.9)), requested="qwq")
    assert asked.profile == load_profile("qwq"), "who asks for it gets it"


def test_an_order_that_was_edited_since_counts() -> None:
    written = sampling_keys(load_profile("qwq"), context=131072, shipped=profile_names())
    edited = text(PREFIX + "sequence", "top_k;top_p;temperature")
    found = resolve(as_metadata(QWQ_NAME, *written.keys, edited))
    assert found.profile.chain.order == ("top_k", "top_p", "temperature", "dist")
    assert found.origins["order"] == "general.sampling.sequence in the file"
    assert "is top_k;top_p;temperature in the file" in found.notes[0]


def test_a_key_added_to_those_of_the_named_profile_counts() -> None:
    written = sampling_keys(load_profile("qwen-llama-cpp"), context=4096, shipped=profile_names())
    found = resolve(as_metadata(*written.keys, f32(PREFIX + "penalty_repeat", 1.1)))
    assert "is 1.1 in the file and not there in profile qwen-llama-cpp" in found.notes[0]
    assert [note for note in found.notes if "repeat_penalty does nothing" in note]


def test_a_copy_of_a_shipped_profile_is_not_taken_for_it(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(profile_text("qwq"))
    assert resolve({}, requested=mine).reason == "asked for in mine.toml"
    assert resolve({}, requested="QwQ").reason == "asked for"


def test_a_profile_asked_for_counts_more_than_the_file() -> None:
    entries = as_metadata(*CONVERTED, text("qwq_gguf.profile", "qwen-reference"))
    found = resolve(entries, requested="llama-cpp")
    assert found.profile == load_profile("llama-cpp")
    assert found.reason == "asked for"
    assert found.notes == ()
    assert resolve(entries, requested="auto").profile.name == "qwen-reference"


def test_a_flag_counts_more_than_anything() -> None:
    entries = as_metadata(*CONVERTED, text("qwq_gguf.profile", "qwq"))
    for requested in (None, "auto", "unsloth"):
        found = resolve(entries, requested=requested, overrides={"temperature": 0.1, "top_k": None})
        assert found.profile.chain.settings()["temperature"] == 0.1
        assert found.origins["temperature"] == "a flag"
        assert found.origins["top_k"] != "a flag"


def test_a_file_we_wrote_is_run_as_it_was_meant() -> None:
    for name in profile_names():
        profile = load_profile(name)
        written = sampling_keys(profile, context=131072, shipped=profile_names())
        found = resolve(as_metadata(QWQ_NAME, *written.keys))
        assert found.profile == profile


def test_an_unknown_profile_in_the_file_is_noted() -> None:
    found = resolve(as_metadata(QWQ_NAME, text("qwq_gguf.profile", "mine" * 1000)))
    assert found.profile == load_profile("qwq")
    assert "not known" in found.notes[0]
    assert len(found.notes[0]) < 200


def test_a_profile_in_the_file_is_never_a_path(tmp_path: Path) -> None:
    path = tmp_path / "evil.toml"
    path.write_text("schema = 1")
    found = resolve(as_metadata(QWQ_NAME, text("qwq_gguf.profile", str(path))))
    assert found.profile == load_profile("qwq")


def test_what_is_asked_for_must_exist_and_do_something() -> None:
    with pytest.raises(ProfileError):
        resolve({}, requested="nowhere")
    with pytest.raises(ChainError, match="no penalties stage"):
        resolve({}, requested="qwen-llama-cpp", overrides={"presence_penalty": 1.0})


def test_idle_numbers_of_a_profile_asked_for_are_noted() -> None:
    assert "repeat_penalty" in resolve({}, requested="unsloth").notes[0]


def test_a_flag_that_does_nothing_is_noted() -> None:
    alone = resolve({}, requested="qwen-reference", overrides={"penalty_window": 64})
    assert "penalty_window does nothing: no penalty is set" in alone.notes
    flags = {"penalty_window": 64, "presence_penalty": 0.5}
    assert resolve({}, requested="qwen-reference", overrides=flags).notes == ()
    flags = {"penalty_window": 0, "presence_penalty": 0.5}
    empty = resolve({}, requested="qwen-reference", overrides=flags)
    assert "presence_penalty does nothing: its window is 0 tokens long" in empty.notes
    assert resolve({}, requested="qwq", overrides={"presence_penalty": 0.0}).notes == ()


def test_a_model_that_no_profile_is_made_for_is_run_by_its_own_numbers() -> None:
    own = (text("general.name", "Some Instruct"), i32(PREFIX + "top_k", 20))
    found = resolve(as_metadata(*own, f32(PREFIX + "temp", 0.7)), overrides={"min_p": 0.1})
    profile = found.profile
    assert profile.name not in profile_names()
    assert "made for no model" not in profile.description
    assert profile.stops == ()
    settings = profile.chain.settings()
    assert (settings["top_k"], settings["temperature"], settings["min_p"]) == (20, 0.7, 0.1)
    assert settings["top_p"] == load_profile("llama-cpp").chain.settings()["top_p"]
    # What nobody decided is llama.cpp's, and not to be written down anywhere.
    assert profile.named == frozenset({"top_k", "temperature", "min_p"})
    assert profile.says("top_k")
    assert not profile.says("top_p")
    assert not profile.says("order")
    assert found.origins["temperature"] == "general.sampling.temp in the file"
    assert found.origins["min_p"] == "a flag"
    assert found.origins["top_p"] == found.origins["order"] == "llama.cpp's default"
    assert found.reason.startswith("the file's own numbers and none of ours, because")
    assert found.reason.endswith("nothing says that it thinks")


def test_a_file_without_numbers_is_not_said_to_have_some() -> None:
    reason = resolve({}).reason
    assert reason.startswith("the file gives no numbers")
    assert reason.endswith("nothing says that it thinks")


def test_an_order_in_the_file_is_somebodys_say() -> None:
    found = resolve(as_metadata(text(PREFIX + "sequence", "top_k;temperature")))
    assert found.profile.says("order")
    assert not found.profile.says("top_k")


def test_another_model_that_thinks_has_its_own_numbers_in_our_order() -> None:
    template = text("tokenizer.chat_template", OPENS)
    found = resolve(as_metadata(template, f32(PREFIX + "temp", 1.0)))
    assert found.profile.chain.order == load_profile("qwq").chain.order
    assert found.profile.chain.settings()["temperature"] == 1.0
    assert found.profile.named is None


def test_thoughts_that_are_turned_on_need_a_thinkers_numbers() -> None:
    template = as_metadata(text("tokenizer.chat_template", IF_ASKED))
    assert resolve(template).profile.name == "file"
    assert resolve(template, thinking=True).profile == load_profile("qwq")


def test_defaults_that_nobody_chose_are_not_warned_of() -> None:
    assert resolve({}, overrides={"temperature": 0.0}).notes == ()
    own = as_metadata(i32(PREFIX + "top_k", 20))
    (note,) = resolve(own, overrides={"temperature": 0.0}).notes
    assert note.startswith("top_k does nothing")
