"""The chains that are measured and are no shipped profiles, as profiles in TOML. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["FIRST", "LAST", "NO_PENALTY", "Chain"]

NO_PENALTY = ("temperature", "top_k", "top_p", "min_p", "dist")
FIRST = ("penalties", *NO_PENALTY)
"""A penalty before the truncation, as llama.cpp has it."""
LAST = (*NO_PENALTY[:-1], "penalties", "dist")
"""A penalty after it, as the profile qwq has it."""

_NUMBERS: Mapping[str, object] = {"temperature": 0.6, "top_k": 40, "top_p": 0.95, "min_p": 0.01}


@dataclass(frozen=True)
class Chain:
    """A chain by its name: the profile qwq's numbers, but for `order` and `changes`."""

    name: str
    words: str
    order: tuple[str, ...]
    changes: Mapping[str, object] = field(default_factory=dict)

    def toml(self) -> str:
        """The profile."""
        values = {**_NUMBERS, **self.changes}
        if "penalties" in self.order:
            values = {"penalty_window": "generation", **values}
        lines = [
            "schema = 1",
            f"name = {json.dumps(self.name)}",
            f"description = {json.dumps(self.words)}",
            "",
            "[chain]",
            f"order = {json.dumps(self.order)}",
            'source = "What is measured"',
        ]
        for name, value in values.items():
            lines += [f"\n[chain.{name}]", f"value = {json.dumps(value)}"]
            lines.append(
                'source = "' + ("What is measured" if name in self.changes else "As in qwq") + '"'
            )
        return "\n".join(lines) + (
            '\n\n[stops]\ntexts = ["<|im_end|>", "<|im_start|>", "<|endoftext|>"]\n'
            'source = "As in qwq"\n'
        )
