"""Tokens of a prompt at once: few where they take long, and others wait."""

from __future__ import annotations

from qwq_gguf.machine.batches import CPU_BATCH, prompt_batch


def test_a_large_model_on_a_processor_has_small_batches() -> None:
    assert prompt_batch(20_000_000_000, on_card=False) == CPU_BATCH == 128
    assert prompt_batch(1_100_000_000, on_card=False) == 512
    assert prompt_batch(20_000_000_000, on_card=True) == 512
