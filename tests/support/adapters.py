"""LoRA adapters as PEFT saves them, and what they are merged into; written without torch.

The numbers are few multiples of 1/64, so a product of matrices is the same in any order of
summing, and a merge has one right answer to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from support.checkpoints import (
    Array,
    Shape,
    byte_tokenizer,
    safetensors_bytes,
    write_checkpoint,
    write_json,
)

__all__ = ["CASES", "Lora", "write_adapter"]

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
_FAST = byte_tokenizer(tokenizer_class="PreTrainedTokenizerFast")
_SMALL = Shape(hidden=64, layers=2, heads=4, kv_heads=2, feed_forward=96)


@dataclass
class Lora:
    """What an adapter is for. `shapes` are [out, in] of linear modules by their names in the
    model; `embeddings` [tokens, width]; `whole` are tensors that replace the model's.
    """

    shapes: Mapping[str, tuple[int, int]]
    embeddings: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    whole: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    rank: int = 8
    ranks: Mapping[str, int] = field(default_factory=dict)  # by the last part of a name
    dora: bool = False
    biases: bool = False
    dtype: str = "F32"
    seed: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)


def _numbers(generator: np.random.Generator, shape: Sequence[int], dtype: str) -> tuple[str, Array]:
    values = (generator.integers(-8, 9, shape) / 64).astype(np.float32)
    if dtype == "BF16":
        return dtype, (values.view(np.uint32) >> 16).astype(np.uint16)  # exact
    return dtype, values.astype({"F32": np.float32, "F16": np.float16}[dtype])


def adapter_tensors(lora: Lora) -> dict[str, tuple[str, Array]]:
    """All tensors by the names that PEFT gives them."""
    made: dict[str, tuple[str, Array]] = {}
    generator = np.random.default_rng(lora.seed)

    def put(name: str, *shape: int) -> None:
        made[f"base_model.model.{name}"] = _numbers(generator, shape, lora.dtype)

    for module, (rows, columns) in lora.shapes.items():
        rank = lora.ranks.get(module.rpartition(".")[2], lora.rank)
        put(f"{module}.lora_A.weight", rank, columns)
        put(f"{module}.lora_B.weight", rows, rank)
        if lora.biases:
            put(f"{module}.lora_B.bias", rows)
        if lora.dora:
            name = f"base_model.model.{module}.lora_magnitude_vector"
            made[name] = "F32", generator.uniform(0.5, 2, rows).astype(np.float32)
    for module, (rows, columns) in lora.embeddings.items():
        put(f"{module}.lora_embedding_A", lora.rank, rows)
        put(f"{module}.lora_embedding_B", columns, lora.rank)
    for name, shape in lora.whole.items():
        put(name, *shape)
    return made


def write_adapter(folder: Path, lora: Lora, **changes: Any) -> Path:
    """Write an adapter's folder and return it; a change to None leaves a key out."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_model.safetensors").write_bytes(safetensors_bytes(adapter_tensors(lora)))
    names = {*lora.shapes, *lora.embeddings}
    config: dict[str, Any] = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "somebody/tiny-base",
        "auto_mapping": None,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "lora_alpha": 16,
        "lora_bias": lora.biases,
        "lora_dropout": 0.0,
        "modules_to_save": sorted(
            {name.rpartition(".")[0] for name in lora.whole if "base_layer" not in name}
        )
        or None,
        "r": lora.rank,
        "rank_pattern": dict(lora.ranks),
        "alpha_pattern": {},
        "target_modules": sorted({name.rpartition(".")[2] for name in names}),
        "use_dora": lora.dora,
        "use_rslora": False,
        "runtime_config": {"ephemeral_gpu_offload": False},
    }
    config.update({**lora.config, **changes})
    write_json(folder / "adapter_config.json", {k: v for k, v in config.items() if v is not None})
    return folder


def modules(shape: Shape, parts: Iterable[str], layers: int | None = None) -> dict[str, Any]:
    """[out, in] of these linear modules of each layer."""
    heads, keys = shape.heads * shape.head, shape.kv_heads * shape.head
    sizes = {
        "q_proj": (heads, shape.hidden),
        "k_proj": (keys, shape.hidden),
        "v_proj": (keys, shape.hidden),
        "o_proj": (shape.hidden, heads),
        "gate_proj": (shape.feed_forward, shape.hidden),
        "up_proj": (shape.feed_forward, shape.hidden),
        "down_proj": (shape.hidden, shape.feed_forward),
    }
    return {
        f"model.layers.{layer}.{'mlp' if part in MLP else 'self_attn'}.{part}": sizes[part]
        for layer in range(layers or shape.layers)
        for part in parts
    }


Case = tuple[Path, tuple[Path, ...]]


def _patterns(folder: Path) -> Case:
    """Other ranks and factors for some modules; the model has biases of its own."""
    base = write_checkpoint(folder / "tiny-base", "qwen2", _SMALL)
    lora = Lora(
        modules(_SMALL, (*ATTENTION, *MLP)),
        ranks={"q_proj": 4},
        config={"alpha_pattern": {"k_proj": 32, "layers.1.mlp.up_proj": 6.5}},
    )
    return base, (write_adapter(folder / "tuned", lora),)


def _embeddings(folder: Path) -> Case:
    """Rank-stabilized, for the embedding too, two modules that are saved whole; of a model whose
    rows change places in a GGUF.
    """
    base = write_checkpoint(
        folder / "tiny-base",
        "llama",
        _SMALL,
        dtype="F16",
        tokenizer=_FAST,
    )
    lora = Lora(
        modules(_SMALL, ("q_proj", "k_proj", "down_proj")),
        embeddings={"model.embed_tokens": (_SMALL.vocab, _SMALL.hidden)},
        whole={
            "lm_head.weight": (_SMALL.vocab, _SMALL.hidden),
            "model.norm.weight": (_SMALL.hidden,),
            # As PEFT saves it beside a product for the embedding.
            "model.embed_tokens.base_layer.weight": (_SMALL.vocab, _SMALL.hidden),
        },
        dtype="F16",
        config={"use_rslora": True},
    )
    return base, (write_adapter(folder / "tuned", lora),)


def _biases(folder: Path) -> Case:
    """What is learnt for biases, which change places too."""
    base = write_checkpoint(
        folder / "tiny-base", "llama", _SMALL, tokenizer=_FAST, attention_bias=True, mlp_bias=True
    )
    lora = Lora(modules(_SMALL, ("q_proj", "k_proj", "down_proj")), biases=True)
    return base, (write_adapter(folder / "tuned", lora),)


def _in_turn(folder: Path) -> Case:
    """Two adapters, which have some of the modules in common."""
    base = write_checkpoint(folder / "tiny-base", "qwen3", _SMALL)
    first = Lora(modules(_SMALL, ATTENTION), rank=4, seed=1)
    second = Lora(modules(_SMALL, ("v_proj", "gate_proj")), dtype="BF16", seed=2)
    return base, (
        write_adapter(folder / "first", first),
        write_adapter(folder / "second", second, lora_alpha=4),
    )


def _dora(folder: Path) -> Case:
    """Lengths of rows; a further adapter on some of the same."""
    base = write_checkpoint(folder / "tiny-base", "qwen2", _SMALL)
    first = Lora(modules(_SMALL, ("q_proj", "up_proj")), rank=4, seed=3)
    second = Lora(modules(_SMALL, ("q_proj", "o_proj", "up_proj")), dora=True, seed=4)
    return base, (write_adapter(folder / "first", first), write_adapter(folder / "dora", second))


CASES: dict[str, Callable[[Path], Case]] = {
    "patterns": _patterns,
    "embeddings": _embeddings,
    "biases": _biases,
    "in-turn": _in_turn,
    "dora": _dora,
}
"""What tests/golden/make_lora.py has PEFT merge."""
