"""Which of a repository's GGUF files a name means."""

from __future__ import annotations

import pytest

from qwq_gguf.checkpoint.hub.gguf import choose_gguf, gguf_choices, split_parts
from qwq_gguf.checkpoint.hub.snapshot import HubFile
from qwq_gguf.errors import NotAGgufError

REPO = "bartowski/QwQ-32B-GGUF"


def files(*names: str, size: int = 1 << 30) -> dict[str, HubFile]:
    return {name: HubFile(name, size) for name in names}


def chosen(names: list[str], tag: str | None) -> tuple[str, ...]:
    return choose_gguf(files(*names), tag, REPO).files


NAMES = [
    "README.md",
    "Qwen_QwQ-32B-IQ4_XS.gguf",
    "Qwen_QwQ-32B-Q2_K_L.gguf",
    "Qwen_QwQ-32B-Q4_0.gguf",
    "Qwen_QwQ-32B-Q4_K_M.gguf",
    "Qwen_QwQ-32B-Q8_0.gguf",
    "Qwen_QwQ-32B-bf16/Qwen_QwQ-32B-bf16-00001-of-00002.gguf",
    "Qwen_QwQ-32B-bf16/Qwen_QwQ-32B-bf16-00002-of-00002.gguf",
    "Qwen_QwQ-32B.imatrix",
    "Qwen_QwQ-32B-imatrix.gguf",
    "mmproj-Qwen_QwQ-32B-f16.gguf",
]


@pytest.mark.parametrize(
    ("tag", "first"),
    [
        (None, "Qwen_QwQ-32B-Q4_K_M.gguf"),
        ("Q4_K_M", "Qwen_QwQ-32B-Q4_K_M.gguf"),
        ("q4_k_m", "Qwen_QwQ-32B-Q4_K_M.gguf"),
        ("iq4_xs", "Qwen_QwQ-32B-IQ4_XS.gguf"),
        ("Q2_K_L", "Qwen_QwQ-32B-Q2_K_L.gguf"),
        ("Qwen_QwQ-32B-Q8_0.gguf", "Qwen_QwQ-32B-Q8_0.gguf"),
        ("qwen_qwq-32b-q8_0.GGUF", "Qwen_QwQ-32B-Q8_0.gguf"),
    ],
)
def test_one_file(tag: str | None, first: str) -> None:
    assert chosen(NAMES, tag) == (first,)


@pytest.mark.parametrize(
    "tag",
    [
        "BF16",
        "Qwen_QwQ-32B-bf16-00002-of-00002.gguf",
        "Qwen_QwQ-32B-bf16/Qwen_QwQ-32B-bf16-00001-of-00002.gguf",
    ],
)
def test_a_split_model_is_one_by_any_part(tag: str) -> None:
    assert chosen(NAMES, tag) == tuple(NAMES[6:8])


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (["m-Q8_0.gguf", "m-Q5_K_M.gguf", "m-Q2_K.gguf"], "m-Q5_K_M.gguf"),
        (["m-f16.gguf", "m-Q8_0.gguf"], "m-Q8_0.gguf"),
        (["m-F32.gguf", "m-BF16.gguf"], "m-BF16.gguf"),
        (["m-UD-Q4_K_XL.gguf", "m-Q6_K.gguf"], "m-UD-Q4_K_XL.gguf"),
        (["m-UD-Q4_K_M.gguf", "m-Q4_K_M.gguf"], "m-Q4_K_M.gguf"),
        (["m-IQ1_S.gguf"], "m-IQ1_S.gguf"),
        (["ggml-model.gguf"], "ggml-model.gguf"),
        (["model.gguf", "m-Q8_0.gguf"], "m-Q8_0.gguf"),
        (["Q4_K_M/model.gguf", "Q8_0/model.gguf"], "Q4_K_M/model.gguf"),
        (["m.Q4_K_M.gguf", "m.i1-IQ1_M.gguf"], "m.Q4_K_M.gguf"),
        (["M-IMATRIX-Q4_K_S.gguf", "m-Q8_0.gguf"], "M-IMATRIX-Q4_K_S.gguf"),
    ],
)
def test_the_default_is_what_is_nearest_to_q4_k_m(names: list[str], first: str) -> None:
    assert chosen(names, None)[0] == first


@pytest.mark.parametrize(
    ("name", "quant"),
    [
        ("Qwen_QwQ-32B-Q4_K_M.gguf", "Q4_K_M"),
        ("qwq-32b-q5_0.gguf", "Q5_0"),
        ("x.i1-IQ3_XXS.gguf", "IQ3_XXS"),
        ("QwQ-32B-UD-IQ1_M.gguf", "UD-IQ1_M"),
        ("gpt-oss-20b-MXFP4.gguf", "MXFP4"),
        ("x-fp16.gguf", "F16"),
        ("x-TQ1_0.gguf", "TQ1_0"),
        ("x-Q4_0_4_8.gguf", "Q4_0_4_8"),
        ("Qwen2.5-Q8-like-7B.gguf", "Q8"),
        ("Q8_0-distilled/x-Q2_K.gguf", "Q2_K"),
        ("QwQ-32B.gguf", ""),
        ("IQuest-40B.gguf", ""),
    ],
)
def test_the_quant_is_read_from_the_name(name: str, quant: str) -> None:
    (choice,) = gguf_choices(files(name))
    assert choice.quant == quant


def test_the_plain_quant_goes_before_the_dynamic_one() -> None:
    names = ["m-UD-Q4_K_M.gguf", "m-Q4_K_M.gguf", "m-UD-Q2_K_XL.gguf"]
    assert chosen(names, "Q4_K_M") == ("m-Q4_K_M.gguf",)
    assert chosen(names, "q2_k_xl") == ("m-UD-Q2_K_XL.gguf",)
    assert chosen(names, "UD-q4_k_m") == ("m-UD-Q4_K_M.gguf",)


def test_an_absent_quant_lists_what_there_is() -> None:
    with pytest.raises(NotAGgufError) as caught:
        choose_gguf(files(*NAMES), "Q3_K_M", REPO)
    assert caught.value.found == "Q3_K_M"
    assert caught.value.expected == (
        "one of Q4_K_M (1.00 GiB), IQ4_XS (1.00 GiB), Q4_0 (1.00 GiB), Q8_0 (1.00 GiB), "
        "Q2_K_L (1.00 GiB), BF16 (2.00 GiB, 2 files)"
    )
    assert caught.value.hint == f"{REPO}:Q4_K_M"


@pytest.mark.parametrize("tag", [None, "Q4_K_M"])
def test_an_ambiguous_quant_lists_the_files(tag: str | None) -> None:
    names = ["a-7B-Q4_K_M.gguf", "a-32B-Q4_K_M.gguf", "a-7B-Q8_0.gguf"]
    with pytest.raises(NotAGgufError, match="may mean 2 files") as caught:
        choose_gguf(files(*names), tag, REPO)
    assert caught.value.expected == "one of a-32B-Q4_K_M.gguf, a-7B-Q4_K_M.gguf"
    assert choose_gguf(files(*names), "a-7B-Q4_K_M.gguf", REPO).files == (names[0],)


def test_a_split_model_without_all_its_parts_is_no_choice() -> None:
    names = ["m-Q4_K_M-00001-of-00003.gguf", "m-Q4_K_M-00003-of-00003.gguf"]
    with pytest.raises(NotAGgufError, match="no GGUF file"):
        choose_gguf(files(*names), None, REPO)


def test_an_unknown_size_is_not_made_up() -> None:
    known = {"m-Q8_0.gguf": HubFile("m-Q8_0.gguf")}
    (choice,) = gguf_choices(known)
    assert (choice.size, choice.label) == (None, "Q8_0")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a-00002-of-00003.gguf", 3),
        ("sub/a-00001-of-00001.GGUF", 1),
        ("a-00004-of-00003.gguf", None),
        ("a-00000-of-00003.gguf", None),
        ("a-00001-of-99999.gguf", None),
        ("a.gguf", None),
    ],
)
def test_parts(name: str, parts: int | None) -> None:
    found = split_parts(name)
    assert (found and len(found)) == parts
    if found:
        assert name in found
