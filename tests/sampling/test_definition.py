"""What a stage says of itself is all that others know of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from qwq_gguf.profiles.gguf_keys import CARRIED
from qwq_gguf.sampling import TopK, reference
from qwq_gguf.sampling.definition import GgufKey, Stage, setting, settings_of
from qwq_gguf.sampling.settings import DEFINITIONS, OFF_VALUES, stage_from_settings
from qwq_gguf.sampling.stages import FINAL_STAGES, STAGE_TYPES


def test_a_setting_is_neutral_at_its_off_value_or_its_default() -> None:
    @dataclass(frozen=True, slots=True)
    class Toy(Stage):
        name: ClassVar[str] = "toy"
        a: float = field(metadata=setting("toy_a", off=2.0, key=GgufKey("toy")))
        b: int = field(default=3, metadata=setting("toy_b", only_with="toy_a"))

    found = settings_of(Toy)
    assert [(s.name, s.off, s.required) for s in found.values()] == [
        ("toy_a", 2.0, True),
        ("toy_b", 3, False),
    ]
    assert found["a"].key == GgufKey("toy")
    assert not Toy(1.0).off
    assert Toy(1.0).leaves_one is None


def test_a_field_without_a_setting_or_an_off_value_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Bare(Stage):
        name: ClassVar[str] = "bare"
        a: float = 0.0

    @dataclass(frozen=True, slots=True)
    class Unsaid(Stage):
        name: ClassVar[str] = "unsaid"
        a: float = field(metadata=setting("unsaid_a"))

    for kind in (Bare, Unsaid):
        with pytest.raises(TypeError, match=rf"{kind.__name__}\.a needs a setting"):
            settings_of(kind)


@pytest.mark.parametrize("name", STAGE_TYPES)
def test_a_stage_at_its_off_values_is_off_and_has_a_reference(name: str) -> None:
    kind = STAGE_TYPES[name]
    assert stage_from_settings(name, OFF_VALUES).off is not (kind in FINAL_STAGES)
    assert kind in reference._APPLY


def test_what_belongs_to_another_setting_names_one_that_there_is() -> None:
    assert {s.only_with for s in DEFINITIONS.values()} - {None} <= DEFINITIONS.keys()
    assert DEFINITIONS.keys() >= CARRIED


def test_no_two_settings_have_one_key() -> None:
    keys = [s.key.name for s in DEFINITIONS.values() if s.key]
    assert len(keys) == len(set(keys)) == len(CARRIED)


def test_a_stage_is_no_other_with_the_same_number() -> None:
    assert TopK(1) == TopK(1)
    assert TopK(1) != STAGE_TYPES["top_n_sigma"]()
