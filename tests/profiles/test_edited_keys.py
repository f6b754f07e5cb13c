"""Which keys somebody edited after a file was given its profile."""

from __future__ import annotations

import pytest

from qwq_gguf.metadata import KeyValue, f32, i32, text
from qwq_gguf.profiles import edited_keys, edited_of, load_profile, profile_names, sampling_keys
from qwq_gguf.profiles.gguf_keys import read_sampling

PREFIX = "general.sampling."


def written(name: str, *edited: KeyValue, context: int = 40960) -> dict[str, KeyValue]:
    keys = sampling_keys(load_profile(name), context=context, shipped=profile_names()).keys
    return {entry.key: entry for entry in (*keys, *edited)}


@pytest.mark.parametrize("name", profile_names())
@pytest.mark.parametrize("context", [16384, 40960, 2**31 - 1])
def test_what_we_write_is_not_edited(name: str, context: int) -> None:
    context = max(context, load_profile(name).context)
    assert edited_of(written(name, context=context)) == (name, ())


@pytest.mark.parametrize(
    ("key", "value", "wrote"),
    [
        (f32(PREFIX + "temp", 0.9), 0.9, 0.6),
        (i32(PREFIX + "top_k", 20), 20, 40),
        (i32(PREFIX + "penalty_last_n", 64), 64, 16384),
        (f32(PREFIX + "xtc_probability", 0.5), 0.5, None),
        (
            text(PREFIX + "sequence", "temperature;top_k"),
            "temperature;top_k",
            "temperature;top_k;top_p;min_p;penalties",
        ),
    ],
    ids=lambda key: key.key.removeprefix(PREFIX) if isinstance(key, KeyValue) else "",
)
def test_a_number_of_another_tool_is_found(key: KeyValue, value: object, wrote: object) -> None:
    (edited,) = edited_keys(read_sampling(written("qwq", key)), load_profile("qwq"))
    assert (edited.key, edited.value, edited.wrote) == (key.key, value, wrote)


def test_what_makes_no_sense_or_is_missing_is_no_edit() -> None:
    entries = written("qwq", f32(PREFIX + "top_p", -3.0))
    del entries[PREFIX + "temp"]
    assert edited_of(entries) == ("qwq", ())


def test_only_a_known_name_says_what_was_written() -> None:
    assert edited_of({}) == (None, ())
    entries = written("qwq", text("qwq_gguf.profile", "../qwq"), f32(PREFIX + "temp", 0.9))
    assert edited_of(entries) == (None, ())
