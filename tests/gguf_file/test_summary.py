"""A file at a glance, and what looks wrong in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import FileSummary, encode_header, read_gguf, summarize
from qwq_gguf.metadata import KeyValue, ValueType, array, boolean, f32, i32, text, u32
from qwq_gguf.thinking import NO_THOUGHT, ThoughtStart
from support.chat_templates import CHATML, IF_ASKED, STRIPS, UNLESS_TOLD
from support.header_files import TEMPLATE, Record, qwq_keys, qwq_tensors, write_header_file


def look(
    tmp_path: Path,
    keys: list[KeyValue] | None = None,
    tensors: list[Record] | None = None,
    extra: bytes = b"",
) -> FileSummary:
    path = write_header_file(
        tmp_path / "a.gguf",
        qwq_keys() if keys is None else keys,
        qwq_tensors() if tensors is None else tensors,
        extra,
    )
    return summarize(read_gguf(path))


def test_a_good_file_is_told_in_full_and_has_no_oddities(tmp_path: Path) -> None:
    seen = look(tmp_path)
    assert seen.oddities == ()
    assert (seen.architecture, seen.name, seen.file_type) == ("qwen2", "Tiny", "Q4_K_M")
    assert (seen.layers, seen.context, seen.rope_base) == (2, 131072, 1e6)
    assert seen.rope_scaling is not None
    assert (seen.rope_scaling.factor, seen.rope_scaling.original_context) == (4.0, 32768)
    assert [(share.type.name, share.tensors, share.weights) for share in seen.types] == [
        ("Q4_K", 3, 256 * 39),
        ("Q6_K", 1, 256 * 7),
        ("F32", 1, 256),
    ]
    assert seen.weights == 256 * 47
    assert seen.bits_per_weight == pytest.approx((39 * 144 + 7 * 210 + 1024) * 8 / (256 * 47))
    assert dict(seen.sampling) == {
        "temp": 0.6,
        "top_k": 40,
        "sequence": "temperature;top_k;top_p;min_p;penalties",
    }
    assert seen.vocabulary.special == {"eos": (4, "<|im_end|>"), "padding": (2, "<|endoftext|>")}
    assert seen.thought.unset is ThoughtStart.OPENED
    assert seen.single_tokens


@pytest.mark.parametrize(
    "template, said, odd",
    [
        (CHATML, "no sign of them", False),
        (CHATML + "{# <think> </think> #}", "no sign of them", False),
        (STRIPS, "<think> ... </think>, left to the model, earlier ones are left out", False),
        (
            UNLESS_TOLD,
            "<think> ... </think>, left to the model, switch enable_thinking (on unless set), "
            "earlier ones are left out",
            True,
        ),
        (
            IF_ASKED,
            "<think> ... </think>, closed by the template, switch enable_thinking (off unless "
            "set), earlier ones are left out",
            True,
        ),
    ],
)
def test_thoughts_are_told_from_what_the_prompt_does(
    template: str, said: str, odd: bool, tmp_path: Path
) -> None:
    entry = text("tokenizer.chat_template", template)
    seen = look(tmp_path, qwq_keys(tokenizer__chat_template=entry))
    assert seen.thought.describe() == said
    assert (seen.to_json()["thinking"] is None) == (said == "no sign of them")
    tokens = array("tokenizer.ggml.tokens", ValueType.STRING, ["a", "b", "c", "d", "<|im_end|>"])
    bare = look(tmp_path, qwq_keys(tokenizer__chat_template=entry, tokenizer__ggml__tokens=tokens))
    odds = [o.what for o in bare.oddities if "no such tokens" in o.what]
    assert bool(odds) is odd


def test_json_is_one_plain_object(tmp_path: Path) -> None:
    many = array("many", ValueType.INT32, range(100))
    said = json.loads(json.dumps(look(tmp_path, [*qwq_keys(), many]).to_json()))
    assert said["schema"] == "qwq-gguf/inspect/1"
    assert said["metadata"]["general.sampling.temp"] == 0.6
    assert said["metadata"]["many"] == {
        "length": 100,
        "element": "int32",
        "first": [0, 1, 2, 3, 4, 5, 6, 7],
    }
    assert said["vocabulary"]["special"]["eos"] == {"id": 4, "text": "<|im_end|>"}
    assert said["types"][0] == {
        "type": "Q4_K",
        "tensors": 3,
        "weights": 256 * 39,
        "bytes": 39 * 144,
    }
    assert said["oddities"] == []


def test_an_empty_file_has_little_to_say(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(encode_header((), ()))
    seen = summarize(read_gguf(path))
    assert (seen.architecture, seen.weights, seen.bits_per_weight) == (None, 0, 0.0)
    assert (seen.rope_scaling, seen.chat_template) == (None, None)
    assert seen.thought == NO_THOUGHT
    assert [odd.what for odd in seen.oddities] == ["no general.architecture"]
    json.dumps(seen.to_json())


QWEN3_TEMPLATE = (
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"
)


@pytest.mark.parametrize(
    "template, opened", [(TEMPLATE, True), (QWEN3_TEMPLATE, False), ("{{ '<think>' }}", True)]
)
def test_whether_the_prompt_opens_the_thought(tmp_path: Path, template: str, opened: bool) -> None:
    keys = qwq_keys(tokenizer__chat_template=text("tokenizer.chat_template", template))
    seen = look(tmp_path, keys)
    assert (seen.thought.unset is ThoughtStart.OPENED) is opened
    assert seen.to_json()["thinking"]["opened_by_template"] is opened


BOS_TEMPLATE = "{{ bos_token }}" + TEMPLATE
ODD: list[tuple[dict[str, KeyValue | None], str]] = [
    ({"qwen2__block_count": None}, "no qwen2.block_count"),
    ({"qwen2__block_count": u32("qwen2.block_count", 3)}, "tensors of 2 layers"),
    ({"split.count": u32("split.count", 4), "split.no": u32("split.no", 1)}, "part 2 of 4"),
    ({"tokenizer__chat_template": None}, "no chat template"),
    (
        {
            "tokenizer__ggml__tokens": array(
                "tokenizer.ggml.tokens",
                ValueType.STRING,
                ["a", "b", "c", "d", "<|im_end|>", "e", "f"],
            )
        },
        "no such tokens",
    ),
    (
        {
            "tokenizer__chat_template": text("tokenizer.chat_template", BOS_TEMPLATE),
            "tokenizer.ggml.bos_token_id": u32("tokenizer.ggml.bos_token_id", 2),
            "tokenizer__ggml__add_bos_token": boolean("tokenizer.ggml.add_bos_token", True),
        },
        "adds another",
    ),
    (
        {"tokenizer__ggml__eos_token_id": u32("tokenizer.ggml.eos_token_id", 7)},
        "the eos token 7 is outside the 7 tokens",
    ),
    ({"tokenizer__ggml__eos_token_id": None}, "no eos token"),
    (
        {"tokenizer__ggml__eos_token_id": u32("tokenizer.ggml.eos_token_id", 2)},
        "eos is <|endoftext|>, but turns end with <|im_end|>",
    ),
    (
        {"tokenizer__ggml__token_type": array("tokenizer.ggml.token_type", ValueType.INT32, [1])},
        "token_type has 1 entries for 7 tokens",
    ),
    ({"tokenizer__ggml__pre": None}, "no pre-tokenizer"),
    ({"tokenizer__ggml__pre": text("tokenizer.ggml.pre", "default")}, "no pre-tokenizer"),
    ({"tokenizer__ggml__merges": None}, "no merges"),
    ({"qwen2__context_length": u32("qwen2.context_length", 40960)}, "YaRN reaches 32768 x 4"),
    ({"qwen2__rope__scaling__factor": None}, "YaRN without a factor"),
    ({"qwen2__rope__scaling__original_context_length": None}, "without an original context"),
    (
        {"qwen2.rope.scaling.attn_factor": f32("qwen2.rope.scaling.attn_factor", 1.0)},
        "its own attn_factor",
    ),
    (
        {"general__sampling__sequence": text("general.sampling.sequence", "typical_p;dist")},
        "unknown samplers in its chain: typical_p, dist",
    ),
    (
        {
            "general__sampling__sequence": text("general.sampling.sequence", "top_k;temperature"),
            "general.sampling.penalty_repeat": f32("general.sampling.penalty_repeat", 1.1),
        },
        "a repeat penalty of 1.1, but no penalties",
    ),
    (
        {"general.sampling.penalty_last_n": i32("general.sampling.penalty_last_n", -1)},
        "a penalty window of -1",
    ),
    ({"general__name": text("general.name", "0c1e5709" * 5)}, "general.name is a commit hash"),
    ({"general__quantization_version": None}, "quantization version None"),
    ({"general__file_type": u32("general.file_type", 7)}, "calls itself Q8_0"),
]


@pytest.mark.parametrize("changes, what", ODD, ids=[what for _, what in ODD])
def test_what_looks_wrong_is_said_once(
    tmp_path: Path, changes: dict[str, KeyValue | None], what: str
) -> None:
    oddities = look(tmp_path, qwq_keys(**changes)).oddities
    assert [what in odd.what for odd in oddities] == [True], oddities
    assert all(odd.hint for odd in oddities)


@pytest.mark.parametrize("named", [None, 99], ids=["none", "no token"])
def test_what_llama_cpp_takes_for_an_eos_is_said(tmp_path: Path, named: int | None) -> None:
    key = "tokenizer.ggml.eos_token_id"
    tokens = [*"!\"#$%&'()*+,", "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    changes = {
        key.replace(".", "__"): None if named is None else u32(key, named),
        "tokenizer__ggml__tokens": array("tokenizer.ggml.tokens", ValueType.STRING, tokens),
    }
    odd = [odd.hint for odd in look(tmp_path, qwq_keys(**changes)).oddities if "eos" in odd.what]
    assert len(odd) == 1
    assert "llama.cpp takes token 11 instead, ','" in odd[0]


def test_embeddings_that_do_not_fit_the_vocabulary(tmp_path: Path) -> None:
    tensors = [Record("token_embd.weight", (256, 9), GgmlType.Q4_K), *qwq_tensors()[3:]]
    assert [odd.what for odd in look(tmp_path, tensors=tensors).oddities] == [
        "7 tokens, but 9 rows of embeddings"
    ]


def test_bytes_that_nothing_reads(tmp_path: Path) -> None:
    assert [odd.what for odd in look(tmp_path, extra=b"x" * 100).oddities] == [
        "100 bytes after the last tensor"
    ]


def test_keys_of_another_type_are_not_believed(tmp_path: Path) -> None:
    """Every key this looks at, once as a string and once as an array."""
    for entry in qwq_keys():
        if entry.key == "general.alignment":
            continue
        for wrong in (
            text(entry.key, "\udcff\x00"),
            array(entry.key, ValueType.FLOAT32, [float("nan")]),
            i32(entry.key, -5),
            f32(entry.key, float("inf")),
        ):
            seen = look(tmp_path, qwq_keys(**{entry.key.replace(".", "__"): wrong}))
            json.dumps(seen.to_json(), ensure_ascii=False, allow_nan=False).encode()
            "".join(odd.what + odd.hint for odd in seen.oddities).encode()


def test_the_demo_models_file_has_no_oddities(tmp_path: Path) -> None:
    from qwq_gguf.checkpoint import open_checkpoint
    from qwq_gguf.conversion import convert
    from qwq_gguf.quantization import load_recipe, make_plan

    plan = make_plan(convert(open_checkpoint("demo")), load_recipe("Q4_K_M"))
    path = tmp_path / "demo.gguf"
    with path.open("wb") as file:
        file.write(encode_header(plan.metadata, plan.tensors))
        file.truncate(plan.file_bytes)
    seen = summarize(read_gguf(path))
    assert seen.oddities == ()
    assert seen.thought.unset is ThoughtStart.OPENED
