from __future__ import annotations

from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.exporters.yaml_text import to_yaml

_texts = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["no", "~", "1e3", "0x10", "- a", "a: b", "# c", "\x85\u2028", "a\nb", "'", '"', "\\", "{{"]
)
_scalars = _texts | st.booleans() | st.integers() | st.none() | st.floats(-1e300, 1e300)
_values: Any = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(st.dictionaries(_texts, inner, max_size=3) | _scalars, max_size=3)
        | st.dictionaries(_texts, inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(_texts, _values, max_size=4))
def test_every_value_comes_back(value: dict[str, Any]) -> None:
    assert (yaml.safe_load(to_yaml(value, ("a comment: x", ""))) or {}) == value


def test_small_floats_stay_floats() -> None:
    assert yaml.safe_load(to_yaml({"p": 1e-05})) == {"p": 1e-05}


def test_what_it_cannot_write_is_refused() -> None:
    with pytest.raises(TypeError):
        to_yaml({"a": {1, 2}})
