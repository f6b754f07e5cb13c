"""Checkpoints of Nemotron-H: a letter a layer says what it is, dense or with experts."""

from __future__ import annotations

from typing import Any

from support.family_checkpoints import Family, Shapes

__all__ = ["NEMOTRON_3_NANO", "NEMOTRON_NANO_9B", "nemotron_h"]


def nemotron_h(
    *,
    pattern: str = "M-M*-",
    hidden: int = 256,
    heads: int = 4,
    kv_heads: int = 2,
    head: int = 96,
    inner: int = 320,
    mamba_heads: int = 8,
    mamba_head: int = 32,
    state: int = 16,
    groups: int = 2,
    kernel: int = 4,
    experts: int = 0,
    expert_inner: int = 64,
    shared_inner: int = 96,
    latent: int | None = None,
    vocab: int = 320,
    following: int = 0,
    body: str = "backbone.",
    **changes: Any,
) -> Family:
    """Mamba (M), attention (*), MLPs (-) and experts (E). `following` is 1 for a block that
    predicts a token more. A change to None leaves a key of config.json out.
    """
    config: dict[str, Any] = {
        "architectures": ["NemotronHForCausalLM"],
        "model_type": "nemotron_h",
        "hybrid_override_pattern": pattern,
        "hidden_size": hidden,
        "num_hidden_layers": len(pattern),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head,
        "intermediate_size": inner,
        "mamba_num_heads": mamba_heads,
        "mamba_head_dim": mamba_head,
        "ssm_state_size": state,
        "n_groups": groups,
        "conv_kernel": kernel,
        "expand": 2,
        "chunk_size": 8,
        "use_conv_bias": True,
        "mlp_hidden_act": "relu2",
        "mamba_hidden_act": "silu",
        "vocab_size": vocab,
        "max_position_embeddings": 262144,
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": False,
        "eos_token_id": 280,
        "torch_dtype": "bfloat16",
    }
    if experts:
        config |= {
            "norm_eps": 1e-5,
            "rope_theta": 10000,
            "partial_rotary_factor": 1.0,
            "n_routed_experts": experts,
            "n_shared_experts": 1,
            "num_experts_per_tok": 4,
            "moe_intermediate_size": expert_inner,
            "moe_shared_expert_intermediate_size": shared_inner,
            "n_group": 1,
            "topk_group": 1,
            "norm_topk_prob": True,
            "routed_scaling_factor": 2.5,
        }
    else:
        config["rms_norm_eps"] = 1e-5
    if latent is not None:
        config["moe_latent_size"] = latent
    if following:
        config["num_nextn_predict_layers"] = following
    config = {key: value for key, value in (config | changes).items() if value is not None}
    wide, narrow = mamba_heads * mamba_head, latent or hidden
    channels = wide + 2 * groups * state
    mamba: Shapes = {
        "mixer.A_log": (mamba_heads,),
        "mixer.D": (mamba_heads,),
        "mixer.dt_bias": (mamba_heads,),
        "mixer.norm.weight": (wide,),
        "mixer.conv1d.weight": (channels, 1, kernel),
        "mixer.conv1d.bias": (channels,),
        "mixer.in_proj.weight": (wide + channels + mamba_heads, hidden),
        "mixer.out_proj.weight": (hidden, wide),
    }
    attention: Shapes = {
        "mixer.q_proj.weight": (heads * head, hidden),
        "mixer.k_proj.weight": (kv_heads * head, hidden),
        "mixer.v_proj.weight": (kv_heads * head, hidden),
        "mixer.o_proj.weight": (hidden, heads * head),
    }
    routed: Shapes = {
        "mixer.gate.weight": (experts, hidden),
        "mixer.gate.e_score_correction_bias": (experts,),
        "mixer.shared_experts.up_proj.weight": (shared_inner, hidden),
        "mixer.shared_experts.down_proj.weight": (hidden, shared_inner),
    }
    for number in range(experts):
        routed[f"mixer.experts.{number}.up_proj.weight"] = (expert_inner, narrow)
        routed[f"mixer.experts.{number}.down_proj.weight"] = (narrow, expert_inner)
    if latent is not None:
        routed["mixer.fc1_latent_proj.weight"] = (latent, hidden)
        routed["mixer.fc2_latent_proj.weight"] = (hidden, latent)
    plain: Shapes = {
        "mixer.up_proj.weight": (inner, hidden),
        "mixer.down_proj.weight": (hidden, inner),
    }
    blocks = {"M": mamba, "*": attention, "-": plain, "E": routed}
    shapes: Shapes = {
        f"{body}embeddings.weight": (vocab, hidden),
        f"{body}norm_f.weight": (hidden,),
        "lm_head.weight": (vocab, hidden),
    }
    norm: Shapes = {"norm.weight": (hidden,)}
    for layer, letter in enumerate(pattern):
        block = norm | blocks[letter]
        shapes |= {f"{body}layers.{layer}.{name}": size for name, size in block.items()}
    if following:
        fusing: Shapes = {
            "enorm.weight": (hidden,),
            "hnorm.weight": (hidden,),
            "eh_proj.weight": (hidden, 2 * hidden),
        }
        ending: Shapes = {"final_layernorm.weight": (hidden,)}
        for layer, block in enumerate((norm | fusing | attention, norm | routed | ending)):
            shapes |= {f"mtp.layers.{layer}.{name}": size for name, size in block.items()}
    return Family(config, shapes)


NEMOTRON_NANO_9B = nemotron_h(
    pattern="M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-",
    hidden=4480,
    heads=40,
    kv_heads=8,
    head=128,
    inner=15680,
    mamba_heads=128,
    mamba_head=80,
    state=128,
    groups=8,
    vocab=131072,
)
NEMOTRON_3_NANO = nemotron_h(
    pattern="MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME",
    hidden=2688,
    heads=32,
    kv_heads=2,
    head=128,
    inner=1856,
    mamba_heads=64,
    mamba_head=64,
    state=128,
    groups=8,
    experts=128,
    expert_inner=1856,
    shared_inner=3712,
    vocab=131072,
    num_experts_per_tok=6,
)
