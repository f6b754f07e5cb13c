"""Traps in special tokens: each is found, put right, and only where it is one."""

from __future__ import annotations

from qwq_gguf.metadata import KeyValue, ValueType, array, boolean, text, u32
from qwq_gguf.preparation.tokens import repair_tokens
from support.chat_templates import QWQ, R1_STYLE

TOKENS = (
    "a", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<|vision_pad|>",
)  # fmt: skip
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4
TYPES = (NORMAL, CONTROL, CONTROL, CONTROL, USER_DEFINED, USER_DEFINED, CONTROL)


def metadata(
    *, eos: int = 3, pad: int = 1, types: tuple[int, ...] = TYPES, template: str = QWQ
) -> dict[str, KeyValue]:
    entries = [
        array("tokenizer.ggml.tokens", ValueType.STRING, TOKENS),
        array("tokenizer.ggml.token_type", ValueType.INT32, types),
        u32("tokenizer.ggml.eos_token_id", eos),
        u32("tokenizer.ggml.padding_token_id", pad),
        text("tokenizer.chat_template", template),
    ]
    return {entry.key: entry for entry in entries}


def changed(keys: dict[str, KeyValue], **options: list[str]) -> dict[str, object]:
    return {
        entry.key.removeprefix("tokenizer.ggml."): entry.value
        for repair in repair_tokens(keys, **options)
        for entry in repair.entries
    }


def test_a_sound_file_stays() -> None:
    assert repair_tokens(metadata()) == ()


def test_an_end_that_the_template_never_writes() -> None:
    repairs = repair_tokens(metadata(eos=1))
    assert len(repairs) == 1
    assert {e.key: e.value for e in repairs[0].entries} == {
        "tokenizer.ggml.eos_token_id": 3,
        "tokenizer.ggml.eot_token_id": 1,
    }
    assert "<|endoftext|> -> <|im_end|>" in repairs[0].said


def test_a_further_end_is_not_lost() -> None:
    keys = metadata(eos=1) | {"tokenizer.ggml.eot_token_id": u32("tokenizer.ggml.eot_token_id", 2)}
    assert changed(keys) == {"eos_token_id": 3}


def test_the_template_may_name_the_end_by_its_role() -> None:
    assert repair_tokens(metadata(template=R1_STYLE)) == ()
    assert repair_tokens(metadata(template=R1_STYLE, eos=1, pad=6)) == ()


def test_a_padding_that_ends_a_reply() -> None:
    assert changed(metadata(pad=3)) == {"padding_token_id": 6}
    assert changed(metadata(pad=99)) == {"padding_token_id": 6}
    # Repairing the end first makes the padding right.
    assert changed(metadata(eos=1, pad=1)) == {"eos_token_id": 3, "eot_token_id": 1}


def test_thoughts_whose_tags_do_not_come_out() -> None:
    hidden = (*TYPES[:4], CONTROL, CONTROL, CONTROL)
    (repair,) = repair_tokens(metadata(types=hidden))
    assert list(repair.entries[0].items) == [*TYPES[:6], CONTROL]
    assert repair.entries[0].element is ValueType.INT32
    assert "does not come out as text" in repair.said
    ordinary = (*TYPES[:4], NORMAL, USER_DEFINED, CONTROL)
    (repair,) = repair_tokens(metadata(types=ordinary))
    assert list(repair.entries[0].items) == list(TYPES)
    assert repair.said.startswith("<think>:")


def test_a_start_that_does_not_exist() -> None:
    add = {"tokenizer.ggml.add_bos_token": boolean("tokenizer.ggml.add_bos_token", True)}
    bos = {"tokenizer.ggml.bos_token_id": u32("tokenizer.ggml.bos_token_id", 1)}
    assert changed(metadata() | add) == {"add_bos_token": False}
    assert changed(metadata(pad=6) | add | bos) == {}


def test_what_the_user_set_stays() -> None:
    assert changed(metadata(eos=1), keep=["tokenizer.ggml.eos_token_id"]) == {}


def test_nonsense_is_left_to_others() -> None:
    keys = metadata()
    short = array("tokenizer.ggml.token_type", ValueType.INT32, [1])
    assert repair_tokens({**keys, short.key: short}) == ()
    assert repair_tokens({"a": text("a", "b")}) == ()
    assert changed(metadata(template="{% broken", eos=1, pad=6)) == {}


def without_end(tokens: tuple[str, ...] = TOKENS) -> dict[str, KeyValue]:
    keys = metadata(template="{{ messages[0].content }}")
    keys["tokenizer.ggml.tokens"] = array("tokenizer.ggml.tokens", ValueType.STRING, tokens)
    del keys["tokenizer.ggml.eos_token_id"], keys["tokenizer.ggml.padding_token_id"]
    return keys


def test_a_vocabulary_that_names_no_end_gets_what_is_called_so() -> None:
    assert changed(without_end()) == {"eos_token_id": 3}, "what ends a turn goes first"
    plain = ("a", "<|endoftext|>", "b", "c", "<think>", "</think>", "d")
    assert changed(without_end(plain)) == {"eos_token_id": 1}
    other = ("a", "x", "b", "c", "<think>", "</think>", "d")
    assert changed(without_end(other)) == {}
