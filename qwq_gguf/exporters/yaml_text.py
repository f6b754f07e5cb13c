"""Values as YAML that every reader of YAML 1.1 and 1.2 takes the same way: PyYAML writes it.

Texts are always quoted, so that no `no`, `1e3` or `~` turns into something else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml  # type: ignore[import-untyped]

__all__ = ["to_yaml"]

# What YAML 1.1 takes for a truth value or nothing.
_WORDS = ("yes", "no", "on", "off", "true", "false", "null")
_PLAIN = re.compile("[A-Za-z][A-Za-z0-9_]+")


def to_yaml(value: Mapping[str, object], comment: Sequence[str] = ()) -> str:
    """A YAML document of one mapping, under comment lines. TypeError for what YAML lacks."""
    # A line end in a comment would begin a line that is none.
    lines = [f"# {' '.join(line.split())}".rstrip() for line in comment]
    try:
        text: str = yaml.dump(
            value, Dumper=_Quoting, sort_keys=False, allow_unicode=True, width=float("inf")
        )
    except yaml.representer.RepresenterError as error:
        raise TypeError(f"no YAML for {type(error.args[-1]).__name__}") from None
    return "\n".join([*lines, text])


class _Quoting(yaml.SafeDumper):  # type: ignore[misc]
    """Every text in double quotes, no anchors, lists indented as the eye expects."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _mapping(dumper: _Quoting, value: Mapping[str, object]) -> yaml.MappingNode:
    node: yaml.MappingNode = dumper.represent_mapping("tag:yaml.org,2002:map", value.items())
    for key, _ in node.value:
        if _PLAIN.fullmatch(key.value) and key.value.lower() not in _WORDS:
            key.style = None
    return node


def _text(dumper: _Quoting, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"')


def _unsafe(dumper: _Quoting, value: object) -> yaml.Node:
    raise yaml.representer.RepresenterError("cannot represent", value)


_Quoting.add_representer(str, _text)
_Quoting.add_multi_representer(Mapping, _mapping)
_Quoting.add_representer(dict, _mapping)
for _kind in (set, bytes):
    _Quoting.add_representer(_kind, _unsafe)
