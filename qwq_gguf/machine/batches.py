"""How many tokens of a prompt are computed at once, and by how many threads."""

from __future__ import annotations

__all__ = ["CPU_BATCH", "ONE_THREAD_BYTES", "prompt_batch"]

# As many as keep a card busy.
_CARD_BATCH = 512
# As few as show progress on a processor, and keep no one waiting who comes meanwhile.
CPU_BATCH = 128
# Weights that one thread computes alone: several would wait for each other longer than compute.
ONE_THREAD_BYTES = 32 << 20
# A small model's prompt is a tenth faster in larger ones (1.5 B, two cores: 1.01 of llama-server's
# speed, and 0.90 in small ones), and there even those take some seconds only.
_SMALL_BATCH, _SMALL = 512, 3_000_000_000


def prompt_batch(weights: int, *, on_card: bool) -> int:
    """Tokens at once for a model of so many bytes, for whoever has it alone."""
    if on_card:
        return _CARD_BATCH
    return _SMALL_BATCH if weights <= _SMALL else CPU_BATCH
