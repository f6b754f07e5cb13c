"""What adapter_config.json says about the arithmetic of an adapter, and which forms of LoRA are
refused by name. Its fields are those of `LoraConfig` in PEFT 0.21 (tuners/lora/config.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwq_gguf.errors import ConfigError, UnsupportedError
from qwq_gguf.patterns import NamePattern, PatternError
from qwq_gguf.words import some

__all__ = ["Settings", "peft_merge", "read_settings"]

# What was decided before the training, or is about it or about running: the tensors say what
# came of it.
_OF_NO_ACCOUNT = frozenset(
    (
        *("auto_mapping", "base_model_name_or_path", "bias", "corda_config", "eva_config"),
        *("ensure_weight_tying", "exclude_modules", "inference_mode", "init_lora_weights"),
        *("layers_pattern", "layers_to_transform", "loftq_config", "lora_bias", "lora_dropout"),
        *("megatron_config", "megatron_core", "modules_to_save", "peft_type", "peft_version"),
        *("qalora_group_size", "revision", "runtime_config", "target_modules", "task_type"),
        *("use_dora", "velora_config", "lora_ga_config", "fan_in_fan_out"),
    )
)
_READ = frozenset(("r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern"))
# Ways to begin that leave the model as it was; others take away from its weights what the
# adapter then has (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA).
_HARMLESS = (None, True, False, "gaussian", "eva", "orthogonal")
_LITERAL = re.compile(r"\^?(?:[\w-]|\\?\.){1,300}")
_MOST_PATTERNS = 1 << 17
# Of those that are more than names: each is tried on each module.
_MOST_EXPRESSIONS = 64


@dataclass(frozen=True, slots=True)
class Settings:
    """How products are scaled: `alpha` by the rank, or (`root`) by its square root.

    `alphas` are other numbers for modules whose names end so, or with `^` are so, each with its
    place: the first counts. PEFT matches `(.*\\.)?(KEY)$`. `ranks` says that not all have the
    rank `rank`. `fan_in_fan_out`: matrices may be stored with rows and columns changed.
    """

    rank: int
    alpha: float
    root: bool
    ranks: bool
    alphas: Mapping[str, tuple[int, float]]
    expressions: tuple[tuple[NamePattern, int, float], ...]
    fan_in_fan_out: bool
    path: Path

    def scale(self, module: str, rank: int) -> float:
        """The factor of the product for a module, by its name in the model."""
        parts = module.split(".")
        ends = [".".join(parts[at:]) for at in range(len(parts))]
        meant = [self.alphas[end] for end in (f"^{module}", *ends) if end in self.alphas]
        meant += [(at, alpha) for each, at, alpha in self.expressions if each.search(module)]
        alpha = min(meant)[1] if meant else self.alpha
        return alpha / (math.sqrt(rank) if self.root else rank)


def peft_merge(folder: Path) -> str:
    """How to merge with PEFT itself."""
    return (
        f"merge it with PEFT: AutoPeftModelForCausalLM.from_pretrained({folder.name!r})"
        ".merge_and_unload().save_pretrained('merged'), the tokenizer too, then "
        "qwq-gguf quantize merged"
    )


def read_settings(config: Mapping[str, Any], path: Path) -> Settings:
    """Those of the adapter_config.json at `path`. UnsupportedError, naming it, for what changes
    the arithmetic in a way that is not known here; ConfigError for numbers that are none.
    """
    _refuse_others(config, path)
    alphas = config.get("alpha_pattern") or {}
    ranks = config.get("rank_pattern") or {}
    for what, table in (("alpha_pattern", alphas), ("rank_pattern", ranks)):
        if not isinstance(table, Mapping) or len(table) > _MOST_PATTERNS:
            raise _absurd(what, table, path, "an object of module names and numbers")
    numbers = {
        key: (place, _number(value, "alpha_pattern", path))
        for place, (key, value) in enumerate(alphas.items())
    }
    return Settings(
        rank=_rank(config.get("r"), path),
        alpha=_number(config.get("lora_alpha"), "lora_alpha", path),
        root=_flag(config, "use_rslora", path),
        ranks=bool(ranks),
        alphas={
            key.replace("\\", ""): number
            for key, number in numbers.items()
            if _LITERAL.fullmatch(key)
        },
        expressions=_expressions(
            {key: number for key, number in numbers.items() if not _LITERAL.fullmatch(key)}, path
        ),
        fan_in_fan_out=_flag(config, "fan_in_fan_out", path),
        path=path,
    )


def _expressions(
    keys: Mapping[str, tuple[int, float]], path: Path
) -> tuple[tuple[NamePattern, int, float], ...]:
    """Compiled so that no key takes longer than in proportion to the names it is tried on."""
    if len(keys) > _MOST_EXPRESSIONS:
        raise UnsupportedError(
            "alpha_pattern has more regular expressions than are tried here",
            path=path,
            found=str(len(keys)),
            expected=f"{_MOST_EXPRESSIONS} at most, and any number of names",
            hint=peft_merge(path.parent),
        )
    made = []
    for key, (place, alpha) in keys.items():
        try:
            made.append((NamePattern(rf"^((.*\.)?({key})$)"), place, alpha))
        except PatternError as error:
            raise UnsupportedError(
                f"alpha_pattern has a regular expression that is not tried here: {error}",
                path=path,
                found=key[:80],
                hint=peft_merge(path.parent),
            ) from None
    return tuple(made)


def _refuse_others(config: Mapping[str, Any], path: Path) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise UnsupportedError(
            "this is an adapter of another kind than LoRA",
            path=path,
            found=str(kind)[:40],
            expected="LORA",
            hint=peft_merge(path.parent),
        )
    start = config.get("init_lora_weights")
    if not any(start is harmless or start == harmless for harmless in _HARMLESS):
        raise UnsupportedError(
            "this adapter goes with a base model whose weights were changed when it was begun",
            path=path,
            found=f"init_lora_weights = {str(start)[:40]}",
            hint=peft_merge(path.parent),
        )
    unknown = [
        name
        for name, value in config.items()
        if name not in _OF_NO_ACCOUNT and name not in _READ and value
    ]
    if unknown:
        raise UnsupportedError(
            "this adapter is of a form that cannot be merged here",
            path=path,
            found=some(f"{name[:60]} = {str(config[name])[:40]}" for name in unknown),
            hint=peft_merge(path.parent),
        )


def _rank(value: object, path: Path) -> int:
    if type(value) is int and 0 < value < 1 << 20:
        return value
    raise _absurd("r", value, path, "a whole number above 0")


def _number(value: object, what: str, path: Path) -> float:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if number is not None and abs(number) <= 1e9:  # also no NaN
        return float(number)
    raise _absurd(what, value, path, "a number")


def _flag(config: Mapping[str, Any], name: str, path: Path) -> bool:
    value = config.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _absurd(name, value, path, "true or false")


def _absurd(what: str, value: object, path: Path, expected: str) -> ConfigError:
    return ConfigError(
        f"{what} makes no sense", path=path, found=str(value)[:80], expected=expected
    )
