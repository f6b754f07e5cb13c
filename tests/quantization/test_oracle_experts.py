"""The families: each tensor gets the type that llama.cpp gives it at the real shapes, and
the bytes at tiny ones.

A real shape is a sparse checkpoint, and so is the GGUF over which llama_model_quantize makes its
dry run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import Conversion, convert
from qwq_gguf.errors import UnsupportedError
from qwq_gguf.quantization import load_recipe, make_plan, recipe_names
from qwq_gguf.quantization.planning.mix import choose_types
from qwq_gguf.quantization.planning.requantize import check_requantizing
from qwq_gguf.quantization.running.budget import DEFAULT_MEMORY, arrange, need_of
from support.checkpoints import Shape, config_of, tensor_shapes
from support.family_checkpoints import GPT_OSS_20B, QWEN35_9B, QWEN35_35B_A3B, R1, Family
from support.gemma_family import GEMMA4_26B_A4B, GEMMA4_31B, GEMMA4_E2B, piece_tokenizer
from support.goldens import CASES
from support.llama_quantize import decided_types, quantize
from support.nemotron_family import NEMOTRON_3_NANO, NEMOTRON_NANO_9B
from support.oracle import as_model
from support.plain_families import (
    EXAONE4_32B,
    GLM_45_AIR,
    MINISTRAL_14B,
    OLMO3_32B,
    PHI_4_REASONING,
    SEED_OSS_36B,
    SMOLLM3_3B,
)
from support.sparse import in_fp8, sparse_checkpoint, sparse_gguf
from support.weights import file_type_of

QWEN3_30B_A3B = Shape(
    hidden=2048,
    layers=48,
    heads=32,
    kv_heads=4,
    feed_forward=6144,
    vocab=151936,
    head_dim=128,
    context=40960,
    experts=128,
    expert_feed_forward=768,
)
ANY_IMATRIX = {"anything": np.ones(1, dtype=np.float32)}


def qwen3_30b_a3b(folder: Path) -> Conversion:
    config = config_of("qwen3_moe", QWEN3_30B_A3B, num_experts_per_tok=8)
    return sparse_checkpoint(
        folder, config, tensor_shapes("qwen3_moe", QWEN3_30B_A3B, config), shards=16
    )


def r1(folder: Path) -> Conversion:
    """671B as it is published: FP8, and a layer for predicting a token more."""
    return sparse_checkpoint(folder, R1.config, *in_fp8(R1.shapes), shards=163)


def gpt_oss_20b(folder: Path) -> Conversion:
    packed = {n: "U8" for n in GPT_OSS_20B.shapes if n.endswith(("_blocks", "_scales"))}
    return sparse_checkpoint(folder, GPT_OSS_20B.config, GPT_OSS_20B.shapes, packed, shards=3)


def qwen35_35b_a3b(folder: Path) -> Conversion:
    return sparse_checkpoint(folder, QWEN35_35B_A3B.config, QWEN35_35B_A3B.shapes, shards=14)


def qwen35_9b(folder: Path) -> Conversion:
    return sparse_checkpoint(folder, QWEN35_9B.config, QWEN35_9B.shapes, shards=4)


def plain(family: Family) -> Callable[[Path], Conversion]:
    """As it is published, in a few shards."""
    return lambda folder: sparse_checkpoint(folder, family.config, family.shapes, shards=4)


def gemma(family: Family) -> Callable[[Path], Conversion]:
    """With a vocabulary of 320 pieces, instead of as many as are published."""
    return lambda folder: sparse_checkpoint(
        folder, family.config, family.shapes, shards=4, tokenizer=piece_tokenizer()
    )


MODELS = {
    "Qwen3-30B-A3B": (qwen3_30b_a3b, 30_532_122_624),
    "DeepSeek-R1": (r1, 671_026_419_200),
    "Qwen3.5-35B-A3B": (qwen35_35b_a3b, 35_505_251_456),
    "Qwen3.5-like-9B": (qwen35_9b, 9_197_093_888),
    "gpt-oss-20b": (gpt_oss_20b, 20_914_757_184),
    "GLM-4.5-Air": (plain(GLM_45_AIR), 110_468_824_832),
    "Seed-OSS-36B": (plain(SEED_OSS_36B), 36_151_104_512),
    "SmolLM3-3B": (plain(SMOLLM3_3B), 3_075_098_624),
    "Phi-4-reasoning": (plain(PHI_4_REASONING), 14_659_507_200),
    "Ministral-3-14B": (plain(MINISTRAL_14B), 13_506_073_600),
    "Olmo-3-32B": (plain(OLMO3_32B), 32_233_522_176),
    "EXAONE-4.0-32B": (plain(EXAONE4_32B), 32_003_216_448),
    "Nemotron-Nano-9B-v2": (plain(NEMOTRON_NANO_9B), 8_888_227_328),
    "Nemotron-3-Nano": (plain(NEMOTRON_3_NANO), 31_577_940_288),
    "Gemma-4-31B": (gemma(GEMMA4_31B), 29_289_779_772),
    "Gemma-4-26B-A4B": (gemma(GEMMA4_26B_A4B), 24_495_845_662),
    "Gemma-4-E2B": (gemma(GEMMA4_E2B), 1_880_464_931),
}


# Every recipe at the shapes that have every rule; of the others one for each way that the rules go.
WHOLE = ("Qwen3-30B-A3B", "DeepSeek-R1", "gpt-oss-20b", "Qwen3.5-35B-A3B")
SOME = ("Q2_K", "Q3_K_L", "Q4_K_M", "Q5_K_S", "Q6_K", "IQ1_M", "IQ2_S", "IQ3_M", "IQ4_NL", "TQ1_0")
MIXES = [(model, name) for model in MODELS for name in (recipe_names() if model in WHOLE else SOME)]


@pytest.fixture(scope="module")
def made_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], tuple[Conversion, Path]]:
    """A model of MODELS with its GGUF. No fixture with parameters: pytest would make that anew
    for each pair of model and recipe.
    """
    folder = tmp_path_factory.mktemp("sparse")

    @cache
    def make(name: str) -> tuple[Conversion, Path]:
        build, weights = MODELS[name]
        made = build(folder / name)
        assert sum(tensor.weights for tensor in made.tensors) == weights
        return made, sparse_gguf(made, folder / f"{name}.gguf")

    return make


@pytest.mark.parametrize(("model", "name"), MIXES)
def test_types_are_llama_cpps(
    made_once: Callable[[str], tuple[Conversion, Path]], model: str, name: str
) -> None:
    made, path = made_once(model)
    recipe = load_recipe(name)
    for imatrix in (None, ANY_IMATRIX):
        log = quantize(
            path,
            path.with_name("x"),
            recipe.file_type,
            dry_run=True,
            imatrix=imatrix,
            requantize=True,  # of gpt-oss
        )
        choices = choose_types(made.tensors, made.facts, recipe, imatrix=imatrix is not None)
        ours = [(t.name, c.type) for t, c in zip(made.tensors, choices, strict=True)]
        assert ours == list(decided_types(log).items())


@pytest.mark.parametrize(
    "name",
    [
        "qwen3moe",
        "qwen3moe-fp8",
        "deepseek",
        "deepseek-fp8",
        "glm-flash",
        "gpt-oss-bf16",
        "qwen35",
        "qwen35moe",
        "qwen3next",
        "glm4moe",
        "seed-oss",
        "smollm3",
        "phi3-long",
        "ministral3",
        "olmo3",
        "exaone4",
        "gemma4",
        "gemma4-moe",
        "gemma4-small",
        "nemotron-h",
        "nemotron-h-moe",
        "nemotron-h-latent",
    ],
)
@pytest.mark.parametrize("recipe", ["Q4_K_M", "Q2_K"])
def test_the_bytes_are_those_of_both_steps(name: str, recipe: str, tmp_path: Path) -> None:
    """The first step is our file, whose bytes are recorded as the converter's."""
    made = convert(open_checkpoint(CASES[name](tmp_path)))
    ours, theirs = as_model(made, tmp_path, file_type_of(made).name).both(recipe, tmp_path)
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("name", ["gpt-oss", "qwen3moe"])
def test_experts_in_mxfp4_are_those_of_both_steps(name: str, tmp_path: Path) -> None:
    """Those of gpt-oss are copied, others are made."""
    made = convert(open_checkpoint(CASES[name](tmp_path)))
    ours, theirs = as_model(made, tmp_path).both("MXFP4_MOE", tmp_path)
    assert ours.read_bytes() == theirs.read_bytes()


def test_mxfp4_weights_are_not_quantized_again_unasked(tmp_path: Path) -> None:
    made = convert(open_checkpoint(CASES["gpt-oss"](tmp_path)))
    assert check_requantizing(make_plan(made, load_recipe("MXFP4_MOE")), allowed=False) is None
    assert check_requantizing(make_plan(made, load_recipe("BF16")), allowed=False) is None
    with pytest.raises(UnsupportedError, match="quantized already") as raised:
        check_requantizing(make_plan(made, load_recipe("Q4_K_M")), allowed=False)
    assert raised.value.found == "6 x MXFP4"
    assert "-r MXFP4_MOE keeps them" in str(raised.value.hint)


def test_r1_is_planned_from_headers_in_seconds_and_runs_in_little_memory(tmp_path: Path) -> None:
    sparse_checkpoint(tmp_path / "DeepSeek-R1", R1.config, *in_fp8(R1.shapes), shards=163)
    started = time.process_time()
    made = convert(open_checkpoint(tmp_path / "DeepSeek-R1"))
    plan = make_plan(made, load_recipe("Q4_K_M"))
    assert time.process_time() - started < 15
    assert plan.file_bytes // 10**9 == 404
    assert made.facts.experts == 256
    assert any("further token (MTP) is left out" in note for note in made.notes)
    need = need_of([plan], lambda stored, kind: False)
    stages = arrange(DEFAULT_MEMORY, 400 << 20, need, 16)
    assert stages.workers == 16
    assert need.least_weights == 512 * 128  # a head's matrix, turned
