"""Mistral's own form of a vocabulary; what the converter makes of it is a golden."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.conversion.vocabulary.tekken import tekken_keys
from qwq_gguf.errors import TokenizerError
from support.checkpoints import write_checkpoint, write_json
from support.tekken import tekken_tokenizer


def keys(tekken: dict[str, Any], size: int = 320) -> dict[str, Any]:
    return {entry.key: entry for entry in tekken_keys(tekken, Path("tekken.json"), size)}


def test_merges_are_all_pairs_that_make_a_token() -> None:
    found = keys(tekken_tokenizer())
    merges = list(found["tokenizer.ggml.merges"].items)
    assert merges[:4] == ["t h", "h e", "t he", "th e"]
    assert "\u0120t he" in merges
    tokens = list(found["tokenizer.ggml.tokens"].items)
    assert len(tokens) == 320
    assert tokens[22:26] == ["[THINK]", "[/THINK]", "<SPECIAL_24>", "<SPECIAL_25>"]
    assert "never" not in tokens
    assert found["tokenizer.ggml.padding_token_id"].value == 11


def test_old_files_list_no_special_tokens() -> None:
    tekken = tekken_tokenizer()
    del tekken["special_tokens"]
    assert list(keys(tekken)["tokenizer.ggml.tokens"].items)[:3] == ["<unk>", "<s>", "</s>"]


def test_a_tokenizer_json_goes_before(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", "llama")
    before = convert(open_checkpoint(folder))
    write_json(folder / "tekken.json", tekken_tokenizer())
    assert convert(open_checkpoint(folder)).metadata == before.metadata
    (folder / "tokenizer.json").unlink()
    made = convert(open_checkpoint(folder))
    assert "the vocabulary is that of tekken.json" in made.notes
    (folder / "tokenizer_config.json").unlink()
    (note,) = convert(open_checkpoint(folder)).notes
    assert "no chat template" in note


def change(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda tekken: tekken["config"].update({name: value})


def set_token(number: int, /, **fields: object) -> Callable[[dict[str, Any]], None]:
    return lambda tekken: tekken["vocab"][number].update(fields)


HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no config": (lambda tekken: tekken.pop("config"), "splits text in another way"),
    "another pattern": (change("pattern", "(a+)+"), "splits text in another way"),
    "a size that is none": (change("default_vocab_size", True), "makes no sense"),
    "too large": (change("default_vocab_size", 1 << 40), "makes no sense"),
    "more than there are": (change("default_vocab_size", 330), "shorter than it says"),
    "fewer than bytes": (change("default_num_special_tokens", 200), "shorter than it says"),
    "no vocabulary": (lambda tekken: tekken.pop("vocab"), "shorter than it says"),
    "another rank": (set_token(258, rank=3), "token 258 is none"),
    "no base64": (set_token(258, token_bytes="?"), "token 258 is none"),
    "no text": (set_token(258, token_bytes=7), "token 258 is none"),
    "another byte": (set_token(7, token_bytes="AA=="), "token 7 is none"),
    "a long one": (set_token(258, token_bytes="AAAA" * 200), "token 258 is none"),
    "twice": (set_token(258, token_bytes="dGg="), "occurs twice"),
    "of no two": (set_token(258, token_bytes="eHl6"), "made of no two others"),
    "special in no order": (
        lambda tekken: tekken["special_tokens"].reverse(),
        "not listed in order",
    ),
    "special that is none": (
        lambda tekken: tekken["special_tokens"][3].update(token_str=None),
        "not as many as it says",
    ),
    "special without a role": (
        lambda tekken: tekken["special_tokens"][1].update(token_str="<bos>"),
        "special tokens are missing",
    ),
    "special: another kind": (lambda tekken: tekken.update(special_tokens=7), "in order"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_contradicts_itself(name: str) -> None:
    damage, message = HOSTILE[name]
    tekken = copy.deepcopy(tekken_tokenizer())
    damage(tekken)
    with pytest.raises(TokenizerError, match=message):
        keys(tekken)


def test_another_size_than_the_models() -> None:
    with pytest.raises(TokenizerError, match="not as many tokens") as raised:
        keys(tekken_tokenizer(), 400)
    assert raised.value.expected == "400, as vocab_size in config.json says"
