"""Names, shapes, the order of rows, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwq_gguf.checkpoint import Checkpoint, ShardReader, TensorInfo, open_checkpoint
from qwq_gguf.conversion import ComputedTensor, Conversion, convert
from qwq_gguf.conversion.rope import Rope, llama3_factors
from qwq_gguf.conversion.tensors import interleaved
from qwq_gguf.errors import ConfigError, TensorError, UnsupportedError
from support.checkpoints import Shape, write_checkpoint
from support.weights import source_values


def opened(tmp_path: Path, *arguments: Any, **options: Any) -> Checkpoint:
    return open_checkpoint(write_checkpoint(tmp_path / "model", *arguments, **options))


def by_name(conversion: Conversion) -> dict[str, tuple[int, ...]]:
    return {tensor.name: tensor.shape for tensor in conversion.tensors}


def test_names_and_shapes_of_qwen2(tmp_path: Path) -> None:
    shapes = by_name(convert(opened(tmp_path, "qwen2", Shape(layers=1, heads=8, kv_heads=2))))
    assert shapes == {
        "output.weight": (256, 320),
        "output_norm.weight": (256,),
        "token_embd.weight": (256, 320),
        "blk.0.attn_k.bias": (64,),
        "blk.0.attn_k.weight": (256, 64),
        "blk.0.attn_norm.weight": (256,),
        "blk.0.attn_output.weight": (256, 256),
        "blk.0.attn_q.bias": (256,),
        "blk.0.attn_q.weight": (256, 256),
        "blk.0.attn_v.bias": (64,),
        "blk.0.attn_v.weight": (256, 64),
        "blk.0.ffn_down.weight": (512, 256),
        "blk.0.ffn_gate.weight": (256, 512),
        "blk.0.ffn_norm.weight": (256,),
        "blk.0.ffn_up.weight": (256, 512),
    }
    assert list(shapes) == [*sorted(shapes)[-3:], *sorted(shapes)[:-3]]


def test_ten_layers_are_in_numeric_order(tmp_path: Path) -> None:
    shape = Shape(hidden=32, layers=11, heads=2, kv_heads=1, feed_forward=32)
    layers = [tensor.layer for tensor in convert(opened(tmp_path, "qwen2", shape)).tensors]
    assert layers[3:] == sorted(layer for layer in layers if layer is not None)


def test_facts(tmp_path: Path) -> None:
    facts = convert(opened(tmp_path, "qwen3", Shape(layers=3, context=4096))).facts
    assert (facts.architecture, facts.layers, facts.heads, facts.kv_heads) == ("qwen3", 3, 4, 2)
    assert (facts.experts, facts.embedding, facts.vocab, facts.tied) == (0, 256, 320, False)
    assert facts.context == 4096


def test_tied_embeddings_have_no_output(tmp_path: Path) -> None:
    conversion = convert(opened(tmp_path, tie_word_embeddings=True))
    assert conversion.facts.tied
    assert "output.weight" not in by_name(conversion)


def test_an_output_that_is_there_though_tied_is_kept(tmp_path: Path) -> None:
    head = {"lm_head.weight": ("BF16", np.zeros((320, 256), np.uint16))}
    conversion = convert(opened(tmp_path, tie_word_embeddings=True, extra_tensors=head))
    assert not conversion.facts.tied
    assert "output.weight" in by_name(conversion)


def test_old_buffers_are_ignored(tmp_path: Path) -> None:
    buffer = {"model.layers.0.self_attn.rotary_emb.inv_freq": ("F64", np.ones(8))}
    assert len(convert(opened(tmp_path, extra_tensors=buffer)).tensors) == 27


class TestRefusals:
    def change(
        self, tmp_path: Path, change: Callable[[dict[str, TensorInfo]], object]
    ) -> Conversion:
        checkpoint = opened(tmp_path)
        tensors = dict(checkpoint.tensors)
        change(tensors)
        return convert(replace(checkpoint, tensors=tensors))

    @pytest.mark.parametrize(
        "name", ["lm_head.weight", "model.norm.weight", "model.layers.1.self_attn.q_proj.bias"]
    )
    def test_a_missing_tensor(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(TensorError, match="are missing") as raised:
            self.change(tmp_path, lambda tensors: tensors.pop(name))
        assert raised.value.expected == name

    @pytest.mark.parametrize(
        "name", ["model.layers.2.input_layernorm.weight", "visual.blocks.0.weight", ""]
    )
    def test_an_unknown_tensor(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(TensorError, match="does not have") as raised:
            self.change(
                tmp_path, lambda tensors: tensors.update({name: tensors["model.norm.weight"]})
            )
        assert raised.value.found == name

    def test_another_shape(self, tmp_path: Path) -> None:
        def turn(tensors: dict[str, TensorInfo]) -> None:
            name = "model.layers.0.mlp.up_proj.weight"
            tensors[name] = replace(tensors[name], shape=(256, 512))

        with pytest.raises(TensorError, match="shape") as raised:
            self.change(tmp_path, turn)
        assert raised.value.found == "[256, 512]"
        assert raised.value.expected == "[512, 256] (feed_forward x embedding)"

    def test_another_dtype(self, tmp_path: Path) -> None:
        def shrink(tensors: dict[str, TensorInfo]) -> None:
            name = "model.layers.0.mlp.up_proj.weight"
            tensors[name] = replace(tensors[name], dtype="F8_E4M3")

        with pytest.raises(UnsupportedError, match="data type") as raised:
            self.change(tmp_path, shrink)
        assert raised.value.expected == "BF16, F16, F32"

    def test_weights_that_are_quantized_already(self, tmp_path: Path) -> None:
        checkpoint = opened(tmp_path, quantization_config={"quant_method": "hqq"})
        with pytest.raises(UnsupportedError, match="quantized already") as raised:
            convert(checkpoint)
        assert raised.value.found == "hqq"

    def test_fewer_embeddings_than_tokens(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="vocab_size is smaller"):
            convert(opened(tmp_path, "qwen2", Shape(vocab=284)))

    def test_a_special_token_beyond_the_embeddings(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="eos_token_id is beyond"):
            convert(opened(tmp_path, eos_token_id=320))


class TestLlama:
    def test_queries_and_keys_are_interleaved_head_by_head(self, tmp_path: Path) -> None:
        shape = Shape(hidden=64, heads=4, kv_heads=2, layers=1)  # heads of 16 rows
        conversion = convert(opened(tmp_path, "llama", shape, attention_bias=True))
        tensors = {tensor.name: tensor for tensor in conversion.tensors}
        turned = [name for name, tensor in tensors.items() if tensor.row_order is not None]
        assert turned == [
            f"blk.0.attn_{which}.{kind}" for which in "kq" for kind in ("bias", "weight")
        ]
        with ShardReader() as reader:
            for name in turned:
                tensor = tensors[name]
                ours = source_values(tensor, reader)
                stored = source_values(replace(tensor, row_order=None), reader)
                # Head, half, place in the half -> head, place, half.
                heads = stored.reshape(-1, 2, 8, *stored.shape[1:])
                assert np.array_equal(ours, heads.swapaxes(1, 2).reshape(stored.shape))

    def test_a_rotation_keeps_its_meaning(self) -> None:
        """Scores of rotated heads are the same, halves apart or neighbours."""
        size, position = 8, 3
        query = np.random.default_rng(0).standard_normal(size)
        angles = position / 10_000 ** (np.arange(0, size, 2) / size)
        cos, sin = np.cos(angles), np.sin(angles)
        first, second = query[: size // 2], query[size // 2 :]
        halves = np.concatenate([first * cos - second * sin, second * cos + first * sin])
        order = interleaved(size).order
        even, odd = query[list(order)].reshape(-1, 2).T
        neighbours = np.stack([even * cos - odd * sin, odd * cos + even * sin], axis=1).ravel()
        assert np.allclose(halves[list(order)], neighbours)

    def test_row_orders_are_permutations(self) -> None:
        for size in (2, 64, 128):
            order = interleaved(size)
            assert sorted(order.order) == list(range(size))

    def test_factors_of_llama_3_1(self, tmp_path: Path) -> None:
        scaling = {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        }
        shape = Shape(heads=2, kv_heads=1, context=131072)
        conversion = convert(opened(tmp_path, "llama", shape, rope_theta=5e5, rope_scaling=scaling))
        tensor = next(t for t in conversion.tensors if t.name == "rope_freqs.weight")
        assert conversion.converter_order[0] is tensor
        assert tensor.shape == (64,)
        (source,) = tensor.sources
        assert isinstance(source, ComputedTensor)
        factors = np.frombuffer(source.data, "<f4")
        assert factors[0] == 1.0
        assert factors[-1] == 8.0
        assert np.all(np.diff(factors) >= 0)
        # One in the middle, by the formula in double precision.
        wavelength = 2 * math.pi * 5e5 ** (60 / 128)
        assert 8192 / 4 < wavelength < 8192
        smooth = (8192 / wavelength - 1) / 3
        assert factors[30] == pytest.approx(1 / ((1 - smooth) / 8 + smooth), rel=1e-5)

    @pytest.mark.parametrize("head_dim", [64, 80, 96, 128, 256])
    @pytest.mark.parametrize("factor", [8.0, 32.0])
    def test_factors_stay_between_one_and_the_factor(self, head_dim: int, factor: float) -> None:
        rope = Rope(5e5, "llama3", factor, 8192)
        factors = np.frombuffer(llama3_factors(rope, head_dim), "<f4")
        assert len(factors) == head_dim // 2
        assert factors.min() == 1.0
        assert factors.max() == factor
