"""Small random checkpoints, laid out as on the Hub, written without torch.

Everything follows from the arguments, so two machines write the same bytes.
"""

from __future__ import annotations

import json
import lzma
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CLASSES",
    "Array",
    "Shape",
    "byte_tokenizer",
    "config_of",
    "in_bytes",
    "qwen2_tokenizer",
    "random_tensors",
    "safetensors_bytes",
    "tensor_shapes",
    "write_checkpoint",
    "write_json",
    "write_sparse_shards",
    "write_tensors",
]

Architecture = Literal["qwen2", "qwen3", "qwen3_moe", "llama"]
Array = NDArray[Any]

DATA = Path(__file__).resolve().parent.parent / "data"
CLASSES = {
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "qwen3_moe": "Qwen3MoeForCausalLM",
    "llama": "LlamaForCausalLM",
}
QWEN2_REGEX = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3_REGEX = QWEN2_REGEX.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


@dataclass(frozen=True)
class Shape:
    """The sizes of a checkpoint. Rows of 256 and more let K-quants apply."""

    hidden: int = 256
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    feed_forward: int = 512
    vocab: int = 320
    head_dim: int | None = None
    context: int = 2048
    experts: int = 0
    expert_feed_forward: int = 256

    @property
    def head(self) -> int:
        """Rows of one head."""
        return self.head_dim or self.hidden // self.heads


def config_of(architecture: Architecture, shape: Shape, **changes: Any) -> dict[str, Any]:
    """A config.json; a change to None leaves the key out."""
    config: dict[str, Any] = {
        "architectures": [CLASSES[architecture]],
        "model_type": architecture,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "intermediate_size": shape.feed_forward,
        "vocab_size": shape.vocab,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": 1e-05,
        "rope_theta": 1000000.0,
        "tie_word_embeddings": False,
        "hidden_act": "silu",
        "torch_dtype": "bfloat16",
    }
    if shape.head_dim is not None or architecture == "qwen3":  # where 128 is assumed else
        config["head_dim"] = shape.head
    if architecture == "qwen3_moe":
        config |= {
            "num_experts": shape.experts,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": shape.expert_feed_forward,
            "norm_topk_prob": True,
        }
    config.update(changes)
    return {key: value for key, value in config.items() if value is not None}


def tensor_shapes(
    architecture: Architecture, shape: Shape, config: Mapping[str, Any]
) -> dict[str, tuple[int, ...]]:
    """Every tensor of a model of this shape, by Hugging Face name."""
    queries, keys = shape.heads * shape.head, shape.kv_heads * shape.head
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (shape.vocab, shape.hidden),
        "model.norm.weight": (shape.hidden,),
    }
    if not config.get("tie_word_embeddings"):
        shapes["lm_head.weight"] = (shape.vocab, shape.hidden)
    for layer in range(shape.layers):
        block: dict[str, tuple[int, ...]] = {
            "input_layernorm.weight": (shape.hidden,),
            "post_attention_layernorm.weight": (shape.hidden,),
            "self_attn.q_proj.weight": (queries, shape.hidden),
            "self_attn.k_proj.weight": (keys, shape.hidden),
            "self_attn.v_proj.weight": (keys, shape.hidden),
            "self_attn.o_proj.weight": (shape.hidden, queries),
            "mlp.gate_proj.weight": (shape.feed_forward, shape.hidden),
            "mlp.up_proj.weight": (shape.feed_forward, shape.hidden),
            "mlp.down_proj.weight": (shape.hidden, shape.feed_forward),
        }
        if architecture == "qwen2" or config.get("attention_bias"):
            block["self_attn.q_proj.bias"] = (queries,)
            block["self_attn.k_proj.bias"] = (keys,)
            block["self_attn.v_proj.bias"] = (keys,)
        if architecture == "llama" and config.get("attention_bias"):
            block["self_attn.o_proj.bias"] = (shape.hidden,)
        if architecture == "llama" and config.get("mlp_bias"):
            block["mlp.gate_proj.bias"] = (shape.feed_forward,)
            block["mlp.up_proj.bias"] = (shape.feed_forward,)
            block["mlp.down_proj.bias"] = (shape.hidden,)
        if architecture == "qwen3_moe":
            for part in ("gate", "up", "down"):
                del block[f"mlp.{part}_proj.weight"]
            block["mlp.gate.weight"] = (shape.experts, shape.hidden)
            inner = (shape.expert_feed_forward, shape.hidden)
            for number in range(shape.experts):
                block[f"mlp.experts.{number}.gate_proj.weight"] = inner
                block[f"mlp.experts.{number}.up_proj.weight"] = inner
                block[f"mlp.experts.{number}.down_proj.weight"] = inner[::-1]
        if architecture in ("qwen3", "qwen3_moe"):
            block["self_attn.q_norm.weight"] = (shape.head,)
            block["self_attn.k_norm.weight"] = (shape.head,)
        shapes.update({f"model.layers.{layer}.{name}": size for name, size in block.items()})
    return shapes


def random_tensors(
    shapes: Mapping[str, tuple[int, ...]], dtype: str, seed: int = 0
) -> dict[str, Array]:
    """Normal weights, norms around one, as raw arrays of the dtype (BF16 as uint16)."""
    generator = np.random.default_rng(seed)
    tensors = {}
    for name, shape in shapes.items():
        values = generator.standard_normal(shape, dtype=np.float32)
        scaled = 1 + values / 8 if "norm" in name else values / math.sqrt(shape[-1])
        tensors[name] = _cast(scaled.astype(np.float32), dtype)
    return tensors


def in_bytes(
    tensors: Mapping[str, tuple[str, Array]],
    *,
    ending: str,
    block: tuple[int, int] | None,
    dtype: str = "F8_E4M3",
    scales: str = "F32",
    seed: int = 0,
) -> dict[str, tuple[str, Array]]:
    """With the matrices of the layers, but for the routers, as random bytes and their scales:
    one for each block, (1, 0) for a row, None for all of a tensor.
    """
    generator = np.random.default_rng(seed)
    found: dict[str, tuple[str, Array]] = {}
    for name, (kind, values) in tensors.items():
        if values.ndim < 2 or ".layers." not in name or name.endswith("mlp.gate.weight"):
            found[name] = (kind, values)
            continue
        rows, columns = values.shape
        codes = generator.integers(0, 256, values.shape, dtype=np.uint8)
        if dtype == "F8_E4M3":
            codes[(codes & 0x7F) == 0x7F] = 0  # no number
        shape: tuple[int, ...] = ()
        if block is not None:
            shape = (-(-rows // block[0]), -(-columns // block[1]) if block[1] else 1)
        factors = generator.uniform(1e-4, 1e-3, shape).astype(np.float32)
        found[name] = (dtype, codes)
        found[name.removesuffix(".weight") + ending] = (scales, _cast(factors, scales))
    return found


def _cast(values: NDArray[np.float32], dtype: str) -> Array:
    if dtype == "BF16":
        bits = values.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return values.astype({"F16": np.float16, "F32": np.float32}[dtype])


def safetensors_bytes(
    tensors: Mapping[str, tuple[str, Array]], *, metadata: Mapping[str, str] | None = None
) -> bytes:
    """A safetensors file of (dtype, array) by name, laid out in the order given."""
    sizes = {name: (dtype, v.shape, v.nbytes) for name, (dtype, v) in tensors.items()}
    body = b"".join(np.ascontiguousarray(values).tobytes() for _, values in tensors.values())
    return _header(sizes, metadata) + body


def _header(
    sizes: Mapping[str, tuple[str, tuple[int, ...], int]], metadata: Mapping[str, str] | None = None
) -> bytes:
    header: dict[str, Any] = {"__metadata__": dict(metadata or {"format": "pt"})}
    position = 0
    for name, (dtype, shape, nbytes) in sizes.items():
        offsets = [position, position + nbytes]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": offsets}
        position += nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def write_json(path: Path, value: object) -> None:
    """Write a JSON file; without indentation, which would take seconds for a real vocabulary."""
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def write_checkpoint(
    folder: Path,
    architecture: Architecture = "qwen2",
    shape: Shape | None = None,
    *,
    dtype: str = "BF16",
    shards: int = 1,
    seed: int = 0,
    tokenizer: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None,
    card: str | None = None,
    generation_config: Mapping[str, Any] | None = None,
    extra_tensors: Mapping[str, tuple[str, Array]] | None = None,
    encode: Callable[[Mapping[str, tuple[str, Array]]], dict[str, tuple[str, Array]]] = dict,
    **config_changes: Any,
) -> Path:
    """Write a whole checkpoint folder and return it. `encode` makes other tensors of its own.

    `tokenizer` is tokenizer.json and tokenizer_config.json; by default the tiny one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = shape or Shape()
    config = config_of(architecture, shape, **config_changes)
    arrays = random_tensors(tensor_shapes(architecture, shape, config), dtype, seed)
    tensors = {name: (dtype, values) for name, values in arrays.items()} | dict(extra_tensors or {})
    tensors = encode(tensors)
    write_json(folder / "config.json", config)
    tokenizer_json, tokenizer_config = tokenizer or byte_tokenizer()
    write_json(folder / "tokenizer.json", tokenizer_json)
    write_json(folder / "tokenizer_config.json", tokenizer_config)
    if generation_config is not None:
        write_json(folder / "generation_config.json", generation_config)
    if card is not None:
        (folder / "README.md").write_text(card, encoding="utf-8")
    write_tensors(folder, tensors, shards)
    return folder


def write_tensors(folder: Path, tensors: Mapping[str, tuple[str, Array]], count: int) -> None:
    """Shards of these tensors, with an index if they are several."""
    if count == 1:
        (folder / "model.safetensors").write_bytes(safetensors_bytes(tensors))
        return
    for file, names in _parts(list(tensors), count).items():
        (folder / file).write_bytes(safetensors_bytes({name: tensors[name] for name in names}))
    _write_index(folder, {name: values.nbytes for name, (_, values) in tensors.items()}, count)


def write_sparse_shards(
    folder: Path,
    shapes: Mapping[str, tuple[int, ...]],
    count: int,
    dtypes: Mapping[str, str] | None = None,
) -> None:
    """Shards of any size that take no room: a header, then a hole of zeros. They are BF16 but
    for the tensors in `dtypes`.
    """
    types = {name: (dtypes or {}).get(name, "BF16") for name in shapes}
    widths = {"BF16": 2, "F32": 4, "F8_E4M3": 1, "U8": 1}
    nbytes = {name: widths[types[name]] * math.prod(shape) for name, shape in shapes.items()}
    for file, names in _parts(list(shapes), count).items():
        header = _header({name: (types[name], shapes[name], nbytes[name]) for name in names})
        with (folder / file).open("wb") as shard:
            shard.write(header)
            shard.truncate(len(header) + sum(nbytes[name] for name in names))
    _write_index(folder, nbytes, count)


def _parts(names: list[str], count: int) -> dict[str, list[str]]:
    return {
        f"model-{index + 1:05d}-of-{count:05d}.safetensors": names[
            index * len(names) // count : (index + 1) * len(names) // count
        ]
        for index in range(count)
    }


def _write_index(folder: Path, nbytes: Mapping[str, int], count: int) -> None:
    parts = _parts(list(nbytes), count)
    files = {name: file for file, names in parts.items() for name in names}
    index = {
        "metadata": {"total_size": sum(nbytes.values())},
        "weight_map": dict(sorted(files.items())),
    }
    write_json(folder / "model.safetensors.index.json", index)


@cache
def _letters() -> list[str]:
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(256))
    return [chr(b) if b in printable else chr(0x100 + next(others)) for b in range(256)]


_WORDS = ("the", " the", " and", " is", "ing", " what", " wait", "\n\n", "12", "  ")
_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_USER_DEFINED = ("<tool_call>", "</tool_call>", "<think>", "</think>")
CHAT_TEMPLATE = (
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content"
    " + '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}"
)


def byte_tokenizer(
    *,
    regex: str = QWEN2_REGEX,
    ignore_merges: bool = False,
    merge_pairs: bool = False,
    special: Iterable[str] = _SPECIAL,
    user_defined: Iterable[str] = _USER_DEFINED,
    post_processor: Mapping[str, Any] | None = None,
    **config_changes: Any,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """All bytes, a few merged words and some added tokens: (tokenizer.json, its config).

    `merge_pairs` writes merges in the newer of the two forms. A change to None leaves a key
    of tokenizer_config.json out.
    """
    letters = _letters()
    vocab = {letter: index for index, letter in enumerate(sorted(letters))}
    merges: list[list[str]] = []
    for word in _WORDS:
        spelled = [letters[byte] for byte in word.encode()]
        joined = spelled[0]
        for letter in spelled[1:]:
            if joined + letter not in vocab:
                merges.append([joined, letter])
                vocab[joined + letter] = len(vocab)
            joined += letter
    special, user_defined = list(special), list(user_defined)
    added = [
        {
            "id": len(vocab) + index,
            "content": content,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": content in special,
        }
        for index, content in enumerate([*special, *user_defined])
    ]
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": regex},
                    "behavior": "Isolated",
                    "invert": False,
                },
                byte_level,
            ],
        },
        "post_processor": post_processor or byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": ignore_merges,
            "vocab": vocab,
            "merges": merges if merge_pairs else [" ".join(pair) for pair in merges],
        },
    }
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "unk_token": None,
        "add_bos_token": False,
        "add_prefix_space": False,
        "model_max_length": 2048,
        "chat_template": CHAT_TEMPLATE,
    } | config_changes
    return tokenizer, {key: value for key, value in config.items() if value is not None}


@cache
def _qwen2_files() -> tuple[str, str]:
    folder = DATA / "qwen2-tokenizer"
    compressed = (folder / "tokenizer.json.xz").read_bytes()
    config = (folder / "tokenizer_config.json").read_text(encoding="utf-8")
    return lzma.decompress(compressed).decode("utf-8"), config


def qwen2_tokenizer(**config_changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The Qwen2 tokenizer in its real size, with a chat template; needs vocab >= 151669."""
    tokenizer, config = (json.loads(text) for text in _qwen2_files())
    return tokenizer, {**config, "chat_template": CHAT_TEMPLATE, **config_changes}
