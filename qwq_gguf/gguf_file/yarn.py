"""YaRN: longer contexts than a model was trained for, as far as its header decides it.

Peng et al., "YaRN: Efficient Context Window Extension of Large Language Models",
https://arxiv.org/abs/2309.00071.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from qwq_gguf.errors import ConfigError
from qwq_gguf.metadata import KeyValue

__all__ = ["Yarn", "yarn_of"]

_MOST = 32.0
# Qwen2.5 was trained at this length whatever its config.json says a server may take.
_TRAINED = {"qwen2": 32768}
_LONG = 8192  # tokens of a prompt from which QwQ's card asks for it


@dataclass(frozen=True, slots=True)
class Yarn:
    """Positions are stretched by `factor`, counted from the `original` number of tokens that the
    model was trained with; a factor of 1 is no YaRN.
    """

    architecture: str
    factor: float
    original: int

    @property
    def length(self) -> int:
        """Tokens that a context may then have."""
        return int(self.original * self.factor)

    @property
    def worth(self) -> int:
        """Tokens of a prompt from which on it does more good than harm."""
        return min(_LONG, self.original)


def yarn_of(metadata: Mapping[str, KeyValue], factor: float) -> Yarn:
    """YaRN by `factor` for the model of these keys.

    ConfigError when the factor is out of range or the file is stretched in another way.
    """
    if not (math.isfinite(factor) and 1 <= factor <= _MOST):
        raise ConfigError(
            "the YaRN factor makes no sense", found=f"{factor:g}", expected=f"1 to {_MOST:g}"
        )
    architecture = _value(metadata, "general.architecture")
    context = _value(metadata, f"{architecture}.context_length")
    if not isinstance(architecture, str) or not isinstance(context, int) or context < 1:
        raise ConfigError("the file does not say its architecture and context length")
    kind = _value(metadata, f"{architecture}.rope.scaling.type")
    if kind not in (None, "none", "yarn"):
        raise ConfigError(
            "the file stretches its context in another way",
            found=str(kind)[:40],
            expected="none or yarn",
        )
    original = _value(metadata, f"{architecture}.rope.scaling.original_context_length")
    if not isinstance(original, int) or original < 1:
        # 40960 is 32768 and room for a reply: positions are trained in powers of two.
        original = 1 << (context.bit_length() - 1)
        original = min(original, _TRAINED.get(architecture, original))
    yarn = Yarn(architecture, factor, original)
    if yarn.length >= 1 << 31:
        raise ConfigError("the context would be absurdly long", found=yarn.length)
    return yarn


def _value(metadata: Mapping[str, KeyValue], key: str) -> object:
    entry = metadata.get(key)
    return None if entry is None or isinstance(entry.value, bool) else entry.value
