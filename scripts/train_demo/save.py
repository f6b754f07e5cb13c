"""Write the checkpoint as Hugging Face lays out QwQ: two BF16 shards and an index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import conversations
import torch
import vocabulary
from network import Qwen2, Shape
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer


def _config(s: Shape) -> dict[str, Any]:
    eos = vocabulary.BASE_SIZE + 2
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": vocabulary.BASE_SIZE,
        "eos_token_id": eos,
        "hidden_act": "silu",
        "hidden_size": s.hidden,
        "initializer_range": 0.02,
        "intermediate_size": s.ffn,
        "max_position_embeddings": s.positions,
        "max_window_layers": s.layers,
        "model_type": "qwen2",
        "num_attention_heads": s.heads,
        "num_hidden_layers": s.layers,
        "num_key_value_heads": s.kv_heads,
        "rms_norm_eps": s.eps,
        "rope_theta": s.theta,
        "sliding_window": None,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": s.vocab,
    }


def _generation_config() -> dict[str, Any]:
    base = vocabulary.BASE_SIZE
    return {
        "bos_token_id": base,
        "do_sample": True,
        "eos_token_id": [base + 2, base],
        "pad_token_id": base,
        "repetition_penalty": 1.0,
        "temperature": 0.6,
        "top_k": 40,
        "top_p": 0.95,
    }


def load_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The weights of a checkpoint as float32, by name."""
    state: dict[str, torch.Tensor] = {}
    for shard in sorted(folder.glob("*.safetensors")):
        state |= {name: tensor.float() for name, tensor in load_file(shard).items()}
    return state


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def save_checkpoint(model: Qwen2, shape: Shape, tokenizer: Tokenizer, folder: Path) -> None:
    """Write weights, configurations and tokenizer into `folder` (made if need be)."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {n: p.detach().to(torch.bfloat16).contiguous() for n, p in model.state_dict().items()}
    names = sorted(state)
    half, filled = sum(t.nbytes for t in state.values()) / 2, 0
    shards: tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]] = ({}, {})
    for name in names:
        shards[int(filled >= half)][name] = state[name]
        filled += state[name].nbytes
    places: dict[str, str] = {}
    for i, shard in enumerate(shards, 1):
        file = f"model-{i:05d}-of-00002.safetensors"
        save_file(shard, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(shard, file)
    _write(
        folder / "model.safetensors.index.json",
        {
            "metadata": {"total_size": sum(t.nbytes for t in state.values())},
            "weight_map": dict(sorted(places.items())),
        },
    )
    _write(folder / "config.json", _config(shape))
    _write(folder / "generation_config.json", _generation_config())
    _write(folder / "tokenizer_config.json", vocabulary.tokenizer_config(conversations.TEMPLATE))
    tokenizer.save(str(folder / "tokenizer.json"))
