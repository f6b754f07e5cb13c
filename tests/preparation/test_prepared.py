"""From a checkpoint to a plan that carries its profile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import Conversion, convert
from qwq_gguf.errors import TokenizerError
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.gguf_file.header_slack import find_room, without_room
from qwq_gguf.metadata import KeyValue, f32, i32, text, u32
from qwq_gguf.preparation import prepare, put_sampling
from qwq_gguf.profiles import choose_profile, load_profile, resolve
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from support.chat_templates import CHATML, CLOSES, IF_ASKED, QWQ, STRIPS
from support.checkpoints import byte_tokenizer, write_checkpoint

OWN = {"temperature": 0.9, "top_k": 7, "min_p": 0.3, "repetition_penalty": 1.2}
# As QwQ-32B has them, and as Qwen2.5-Instruct does.
QWQS = {"temperature": 0.6, "top_k": 40, "top_p": 0.95, "repetition_penalty": 1.0}
QWENS = {"temperature": 0.7, "top_k": 20, "top_p": 0.8, "repetition_penalty": 1.05}


def conversion(
    folder: Path, template: str = QWQ, name: str = "QwQ-Tiny", own: dict[str, float] = OWN
) -> Conversion:
    path = write_checkpoint(
        folder / name,
        "qwen2",
        tokenizer=byte_tokenizer(chat_template=template),
        generation_config=own,
    )
    return convert(open_checkpoint(path))


def keys(metadata: tuple[KeyValue, ...]) -> dict[str, KeyValue]:
    return {entry.key: entry for entry in metadata}


def test_a_model_of_the_family_carries_qwqs_chain(tmp_path: Path) -> None:
    prepared = prepare(conversion(tmp_path, own=QWQS))
    entries = keys(prepared.conversion.metadata)
    assert entries["general.sampling.sequence"].value == "temperature;top_k;top_p;min_p;penalties"
    assert entries["qwq_gguf.profile"].value == "qwq"
    assert not [line for line in prepared.changes if "as the author has it" in line]
    assert entries["general.sampling.top_k"].value == 40
    window = entries["general.sampling.penalty_last_n"].value
    assert isinstance(window, int)
    assert window >= 16384
    assert [line for line in prepared.changes if "profile qwq" in line]
    assert [line for line in prepared.notes if "presence penalty" in line]
    # What our own engine makes of it is the whole profile, presence penalty and all.
    assert resolve(entries).profile == load_profile("qwq")


def test_numbers_that_came_along_by_mistake_are_replaced_and_said(tmp_path: Path) -> None:
    prepared = prepare(conversion(tmp_path, own=QWENS))
    assert resolve(keys(prepared.conversion.metadata)).profile == load_profile("qwq")
    (said,) = [line for line in prepared.changes if "give way" in line]
    assert "repeat_penalty 1.05" in said
    assert "Qwen2.5-Instruct" in said
    # Only all of them together are that mistake.
    other = prepare(conversion(tmp_path / "other", own=QWENS | {"temperature": 0.8}))
    entries = keys(other.conversion.metadata)
    assert entries["general.sampling.penalty_repeat"].value == pytest.approx(1.05)
    assert not [line for line in other.changes if "give way" in line]


@pytest.mark.parametrize("name", ["QwQ-Tiny", "Some-Model"])
def test_the_author_has_the_last_word(name: str, tmp_path: Path) -> None:
    before = conversion(tmp_path, name=name)
    prepared = prepare(before)
    entries = keys(prepared.conversion.metadata)
    assert entries["general.sampling.sequence"].value == "temperature;top_k;top_p;min_p;penalties"
    for key, value in (("top_k", 7), ("temp", 0.9), ("min_p", 0.3), ("penalty_repeat", 1.2)):
        assert entries[f"general.sampling.{key}"].value == pytest.approx(value)
    assert entries["general.sampling.top_p"].value == pytest.approx(0.95)  # which it leaves open
    assert "qwq_gguf.profile" not in entries
    said = next(line for line in prepared.changes if "profile qwq" in line)
    assert "as the author has it" in said
    assert [line for line in prepared.notes if "the author gives another of its numbers" in line]
    found = resolve(entries).profile.chain.settings()
    assert (found["top_k"], found["temperature"], found["top_p"]) == (7, 0.9, 0.95)


def test_another_model_without_numbers_of_its_own_gets_the_profile(tmp_path: Path) -> None:
    before = conversion(tmp_path, name="Some-Model")
    silent = [e for e in before.metadata if not e.key.startswith("general.sampling.")]
    entries = keys(prepare(replace(before, metadata=tuple(silent)), room=False).conversion.metadata)
    assert entries["qwq_gguf.profile"].value == "qwq"
    assert resolve(entries).profile == load_profile("qwq")


@pytest.mark.parametrize("template", [CHATML, STRIPS, CLOSES, IF_ASKED])
@pytest.mark.parametrize("name", ["Some-Model", "Acme Qwen3 4B Instruct"])
def test_a_model_that_does_not_think_keeps_its_own(
    template: str, name: str, tmp_path: Path
) -> None:
    before = conversion(tmp_path, template, name)
    assert keys(before.metadata)["general.sampling.temp"].value == pytest.approx(0.9)
    after = prepare(before, room=False)
    assert after.conversion == before
    assert after.changes == after.notes == ()


def test_a_family_whose_template_closes_the_thought_keeps_it_closed(tmp_path: Path) -> None:
    before = conversion(tmp_path, CLOSES, "DeepSeek-R1-Distill-Qwen-7B-NoThink")
    assert prepare(before, room=False).conversion == before


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ messages.__class__.__mro__ }}", "unsafe"),
        ("{% for m in messages %}", "line 1"),
        ("You are helpful.", "what the user says is not in the prompt"),
    ],
    ids=["refused", "unfinished", "deaf"],
)
def test_a_template_of_a_plain_model_that_cannot_be_used_is_named(
    tmp_path: Path, template: str, why: str
) -> None:
    before = conversion(tmp_path, template, name="Some-Model")
    assert choose_profile(keys(before.metadata)).profile is None
    said = prepare(before).notes
    assert [line for line in said if "chat template cannot be used" in line and why in line]
    assert [line for line in said if "set FILE --chat-template" in line]


def test_a_vocabulary_without_an_end_is_named(tmp_path: Path) -> None:
    """Programs that go by llama.cpp end every reply at the first comma then."""
    before = conversion(tmp_path, STRIPS, name="Some-Model")
    assert not [line for line in prepare(before).notes if "ends a text" in line]
    rest = tuple(e for e in before.metadata if e.key != "tokenizer.ggml.eos_token_id")
    said = prepare(replace(before, metadata=rest), repair=False).notes
    assert [line for line in said if "names no token that ends a text" in line]
    repaired = prepare(replace(before, metadata=rest))
    assert keys(repaired.conversion.metadata)["tokenizer.ggml.eos_token_id"].value is not None
    assert [line for line in repaired.changes if "end of sequence: nothing ->" in line]


def test_a_vocabulary_in_which_nothing_can_end_a_text_is_refused(tmp_path: Path) -> None:
    before = conversion(tmp_path, "{{ messages[0].content }}", name="Some-Model")
    entries = []
    for entry in before.metadata:
        if entry.key == "tokenizer.ggml.tokens":
            renamed = [f"_{number}" for number in range(len(entry.items))]
            entry = replace(entry, value=renamed)
        if entry.key != "tokenizer.ggml.eos_token_id":
            entries.append(entry)
    mute = replace(before, metadata=tuple(entries))
    with pytest.raises(TokenizerError, match="no token ends a text") as refused:
        prepare(mute)
    assert "--no-repair" in str(refused.value)
    assert prepare(mute, repair=False).notes
    end = u32("tokenizer.ggml.eos_token_id", 1)
    named = prepare(replace(mute, metadata=(*entries, end)), keep=[end.key])
    assert keys(named.conversion.metadata)[end.key] == end


def test_a_template_that_merely_strips_thoughts_is_no_reasoner(tmp_path: Path) -> None:
    closed = QWQ.replace("<think>\\n", "")
    assert "</think>" in closed
    other = conversion(tmp_path, closed, name="Some-Model")
    assert choose_profile(keys(other.metadata)).profile is None
    kin = conversion(tmp_path, closed, name="QwQ-Tiny")
    assert choose_profile(keys(kin.metadata)).profile == "qwq"
    assert [line for line in prepare(kin).changes if line.startswith("chat template:")]
    left = prepare(kin, repair=False)
    assert [line for line in left.notes if "does not open the thought" in line]
    assert [line for line in left.notes if "set FILE --chat-template" in line]
    assert not [line for line in left.changes if line.startswith("chat template:")]
    mine = prepare(kin, keep=["tokenizer.chat_template"])
    assert keys(mine.conversion.metadata)["tokenizer.chat_template"].value == closed


def test_the_checkpoints_own_numbers(tmp_path: Path) -> None:
    before = conversion(tmp_path)
    after = prepare(before, sampling=False, room=False)
    assert after.conversion.metadata == before.metadata
    assert keys(before.metadata)["general.sampling.top_k"].value == 7


def test_a_key_that_the_user_set_stays(tmp_path: Path) -> None:
    before = conversion(tmp_path, own={"top_k": 7})
    mine = keys(before.metadata)["general.sampling.top_k"]
    after = keys(prepare(before, keep=[mine.key]).conversion.metadata)
    assert after[mine.key] == mine
    assert after["general.sampling.min_p"].value == pytest.approx(0.01)


def test_a_changed_number_is_not_hidden_behind_a_profiles_name(tmp_path: Path) -> None:
    before = conversion(tmp_path, own={"top_k": 7})
    prepared = prepare(before, keep=["general.sampling.top_k"])
    entries = keys(prepared.conversion.metadata)
    assert "qwq_gguf.profile" not in entries
    assert [line for line in prepared.notes if "you changed one of its numbers" in line]
    assert resolve(entries).profile.chain.settings()["top_k"] == 7


def test_a_chain_that_somebody_chose_stays(tmp_path: Path) -> None:
    """As a GGUF has it that is quantized again; a converter writes no order of samplers."""
    before = conversion(tmp_path)
    chain = text("general.sampling.sequence", "top_k;temperature")
    named = text("qwq_gguf.profile", "r1-distill")
    for entry in (chain, named):
        chosen = replace(before, metadata=(*before.metadata, entry))
        prepared = prepare(chosen, room=False)
        assert prepared.conversion == chosen
        assert [line for line in prepared.notes if "--profile qwq sets it anew" in line]
        asked = prepare(chosen, profile=load_profile("qwq"))
        assert keys(asked.conversion.metadata)["qwq_gguf.profile"].value == "qwq"
    mine = replace(before, metadata=(*before.metadata, chain, named))
    entries = keys(prepare(mine, keep=["general.sampling.top_k"]).conversion.metadata)
    assert chain.key in entries
    assert "qwq_gguf.profile" not in entries


def test_the_profile_that_was_asked_for_is_carried_by_any_model(tmp_path: Path) -> None:
    profile = load_profile("qwen-llama-cpp")
    for template in (QWQ, CHATML):
        prepared = prepare(conversion(tmp_path / str(len(template)), template), profile=profile)
        entries = keys(prepared.conversion.metadata)
        assert entries["general.sampling.sequence"].value == "top_k;top_p;min_p;temperature"
        assert resolve(entries).profile == profile
        assert [line for line in prepared.changes if "qwen-llama-cpp, as asked for" in line]
    kept = prepare(conversion(tmp_path / "kept"), profile=profile, sampling=False)
    assert keys(kept.conversion.metadata)["general.sampling.top_k"].value == 7


def test_repairs_are_made_and_can_be_left_out(tmp_path: Path) -> None:
    before = conversion(tmp_path, QWQ.replace("im_end", "endoftext"))
    was = keys(before.metadata)["tokenizer.ggml.eos_token_id"].value
    tokens = list(keys(before.metadata)["tokenizer.ggml.tokens"].items)
    after = prepare(before)
    ends = keys(after.conversion.metadata)["tokenizer.ggml.eos_token_id"].value
    assert isinstance(ends, int)
    assert tokens[ends] == "<|endoftext|>"
    assert ends != was
    assert [line for line in after.changes if line.startswith("end of sequence")]
    left = prepare(before, repair=False)
    assert keys(left.conversion.metadata)["tokenizer.ggml.eos_token_id"].value == was
    assert not [line for line in left.changes if line.startswith("end of sequence")]


@pytest.mark.parametrize("recipe", ["Q4_K_M", "BF16"])
@pytest.mark.parametrize("room", [True, False])
def test_the_plan_is_still_exact(tmp_path: Path, recipe: str, room: bool) -> None:
    before = conversion(tmp_path)
    prepared = prepare(before, room=room)
    plan = make_plan(prepared.conversion, load_recipe(recipe))
    run_plan(plan, tmp_path / "out.gguf")
    file = read_gguf(tmp_path / "out.gguf")
    assert file.file_bytes == plan.file_bytes == (tmp_path / "out.gguf").stat().st_size
    assert tuple(file.metadata.values()) == plan.metadata
    assert (find_room(file.metadata) is not None) is room
    faithful = make_plan(before, load_recipe(recipe))
    assert {k.key for k in faithful.metadata} - file.metadata.keys() == set()
    if not room:
        rest = [k.key for k in plan.metadata if "sampling" not in k.key and "qwq_gguf" not in k.key]
        assert rest == [k.key for k in faithful.metadata if "sampling" not in k.key]


def test_old_sampling_keys_make_way_where_they_stood() -> None:
    entries = [
        text("general.architecture", "qwen2"),
        i32("general.sampling.top_k", 3),
        f32("general.sampling.temp", 2.0),
        text("general.name", "x"),
        text("qwq_gguf.profile", "old"),
    ]
    new = [f32("general.sampling.min_p", 0.5)]
    assert put_sampling(entries, new) == (entries[0], new[0], entries[3])
    kept = put_sampling(entries, [*new, i32("general.sampling.top_k", 9)], keep=[entries[1].key])
    assert set(kept) == {entries[0], entries[1], new[0], entries[3]}
    assert put_sampling([entries[0], entries[3]], new) == (entries[0], new[0], entries[3])
    assert without_room(kept) == kept
