"""What kind of matrix a tensor is, and which are never quantized: both by its name."""

from __future__ import annotations

from typing import Protocol

from qwq_gguf.ggml_types import GgmlType, trimmed

__all__ = ["Tensor", "kind_of", "never_quantized"]


class Tensor(Protocol):
    """What a rule may look at. `shape[0]` is the length of a row; `kept` the type where no
    rule is asked.
    """

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def layer(self) -> int | None: ...
    @property
    def kept(self) -> GgmlType: ...


_KIND_OF_PART = (
    ("attn_qkv.weight", "attn_v"),
    ("attn_kv_b.weight", "attn_v"),
    ("attn_v.weight", "attn_v"),
    ("attn_k.weight", "attn_k"),
    ("attn_q.weight", "attn_q"),
    ("attn_output.weight", "attn_output"),
    ("ffn_up", "ffn_up"),
    ("ffn_gate", "ffn_gate"),
    ("ffn_down", "ffn_down"),
)


_EMBEDDINGS = ("token_embd.weight", "per_layer_token_embd.weight")


def kind_of(name: str) -> str:
    """The kind (recipe.KINDS) of a tensor, by its GGUF name."""
    if name == "output.weight":
        return "output"
    if name in _EMBEDDINGS:
        return "token_embd"
    return next((kind for part, kind in _KIND_OF_PART if part in name), "other")


# Parts of names, of whatever architecture: small or sensitive matrices (tensor_allows_quantization
# in src/llama-quant.cpp).
_EXACT = (
    *("_norm.weight", "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight"),
    *("altup", "laurel", "per_layer_model_proj", "ssm_conv1d", "shortconv.conv.weight"),
    *("indexer.k_proj.weight", "indexer.q_proj.weight"),
    *(f"time_mix_{part}.weight" for part in ("first", "w0", "w1", "w2", "v0", "v1", "v2")),
    *(f"time_mix_{part}.weight" for part in ("a0", "a1", "a2", "g1", "g2")),
    *("time_mix_decay_w1.weight", "time_mix_decay_w2.weight", "time_mix_lerp_fused.weight"),
    *("attn_rel_b.weight", ".position_embd", ".rel_pos", ".patch_embd", ".patch_merger"),
    *("sam.pos_embd", "sam.neck.", "sam.net_", "a.rvq.codebook", "mm.a.code_embd"),
)
_EXACT_NAMES = ("position_embd.weight", "token_types.weight")


def never_quantized(tensor: Tensor) -> bool:
    """Vectors, norms, biases, expert routers and short convolutions: small, and sensitive."""
    name = tensor.name
    return (
        len(trimmed(tensor.shape)) < 2
        or not name.endswith("weight")
        or name in _EXACT_NAMES
        or any(part in name for part in _EXACT)
    )
