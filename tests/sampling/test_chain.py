from __future__ import annotations

import math
from dataclasses import fields

import pytest

from qwq_gguf.errors import ChainError
from qwq_gguf.sampling import (
    Dist,
    Dry,
    Greedy,
    MinP,
    Penalties,
    SamplerChain,
    Temperature,
    TopK,
    TopNSigma,
    TopP,
    TypicalP,
    Xtc,
)
from qwq_gguf.sampling.settings import SETTINGS
from qwq_gguf.sampling.stages import STAGE_TYPES

QWQ = SamplerChain(
    (
        Temperature(0.6),
        TopK(40),
        TopP(0.95),
        MinP(0.01),
        Penalties(presence=1.0),
        Dist(),
    )
)


def test_the_order_names_the_stages_as_llama_cpp_does() -> None:
    assert QWQ.order == ("temperature", "top_k", "top_p", "min_p", "penalties", "dist")


@pytest.mark.parametrize(
    "stages, reason",
    [
        ((), "no stage picks"),
        ((TopK(40),), "no stage picks"),
        ((Dist(), Greedy()), "two stages pick"),
        ((Dist(), TopK(40)), "top_k after it would do nothing"),
        ((TopK(1), TopK(2), Dist()), "top_k stands twice"),
    ],
)
def test_nonsense_is_refused_with_its_reason(stages: tuple[object, ...], reason: str) -> None:
    with pytest.raises(ChainError, match=reason):
        SamplerChain(stages)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Temperature(-0.1),
        lambda: Temperature(math.nan),
        lambda: Temperature(math.inf),
        lambda: TopK(-1),
        lambda: TopK(2.5),  # type: ignore[arg-type]
        lambda: TopK(True),
        lambda: TopK(2**31),
        lambda: TopP(0.0),
        lambda: TopP(1.01),
        lambda: MinP(-0.01),
        lambda: TypicalP(0.0),
        lambda: TopNSigma(-1.0),
        lambda: Xtc(1.1, 0.1),
        lambda: Penalties(repeat=0.0),
        lambda: Penalties(presence=2.1),
        lambda: Penalties(frequency=-2.1),
        lambda: Penalties(window=-1),
        lambda: Penalties(window="prompt"),  # type: ignore[arg-type]
        lambda: Dry(1.0, base=0.5),
        lambda: Dry(1.0, breakers=("",)),
        lambda: Dry(1.0, breakers=("x" * 41,)),
        lambda: Dry(1.0, breakers=["\n"]),  # type: ignore[arg-type]
    ],
)
def test_numbers_out_of_range_are_refused(make: object) -> None:
    with pytest.raises(ChainError):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    "window, counted",
    [
        ("generation", [4, 5]),
        ("context", [1, 2, 3, 4, 5]),
        (3, [3, 4, 5]),
        (9, [1, 2, 3, 4, 5]),
        (0, []),
    ],
)
def test_window_counts(window: int | str, counted: list[int]) -> None:
    stage = Penalties(window=window)  # type: ignore[arg-type]
    assert list(stage.counted([1, 2, 3], [4, 5])) == counted


def test_an_override_changes_one_number_and_keeps_the_order() -> None:
    changed = QWQ.with_overrides(temperature=0.7, presence_penalty=0.5, top_p=None)
    assert changed.stages == (
        Temperature(0.7),
        TopK(40),
        TopP(0.95),
        MinP(0.01),
        Penalties(presence=0.5),
        Dist(),
    )


def test_an_override_that_would_do_nothing_is_refused() -> None:
    with pytest.raises(ChainError, match="no xtc stage"):
        QWQ.with_overrides(xtc_probability=0.5)


def test_a_misspelt_setting_gets_a_suggestion() -> None:
    with pytest.raises(ChainError) as caught:
        QWQ.with_overrides(top_kk=40)
    assert caught.value.hint == "did you mean top_k?"


def test_an_override_is_checked_like_any_other_number() -> None:
    with pytest.raises(ChainError, match="top_p: p is out of range"):
        QWQ.with_overrides(top_p=1.5)


def test_settings_and_back() -> None:
    assert SamplerChain.from_settings(QWQ.order, QWQ.settings()) == QWQ


def test_a_stage_that_needs_its_number_says_which() -> None:
    with pytest.raises(ChainError) as caught:
        SamplerChain.from_settings(("top_k", "dist"), {})
    assert caught.value.expected == "top_k"


def test_an_unknown_stage_gets_a_suggestion() -> None:
    with pytest.raises(ChainError) as caught:
        SamplerChain.from_settings(("typp", "dist"), {})
    assert caught.value.hint == "did you mean typ_p?"


def test_every_setting_names_a_field_and_every_field_has_a_setting() -> None:
    every = {(kind.name, field.name) for kind in STAGE_TYPES.values() for field in fields(kind)}
    assert set(SETTINGS.values()) == every


def test_idle_settings_are_those_whose_stage_is_not_in_the_order() -> None:
    chain = SamplerChain((TopK(40), Dist()))
    given = {"top_k": 40, "repeat_penalty": 1.1, "dry_multiplier": 0.0}
    assert chain.idle_settings(given) == ("repeat_penalty",)


@pytest.mark.parametrize(
    "stages, expected",
    [
        (QWQ.stages, []),
        ((Temperature(0.0), TopP(0.9), Dist()), ["top_p does nothing: temperature 0 has left"]),
        ((TopK(1), Penalties(presence=1.0), Dist()), ["penalties does nothing: top_k 1"]),
        ((TopK(1), TopP(1.0), Dist()), []),
        ((TopP(0.9), Greedy()), ["top_p does nothing: greedy"]),
        ((Temperature(0.6), Greedy()), ["temperature does nothing: greedy"]),
        ((Penalties(repeat=1.1), Greedy()), []),
        ((TopP(0.9), Temperature(0.0), Dist()), ["top_p does nothing: temperature 0 takes"]),
        ((MinP(0.1), TopK(1), Dist()), ["min_p does nothing: top_k 1 takes the best"]),
        ((TopK(1), Greedy()), ["top_k does nothing: greedy"]),
        # What a penalty then chooses from and by, counts.
        ((Temperature(0.6), TopK(3), Penalties(repeat=1.1), Greedy()), []),
        ((TopK(3), Dry(multiplier=0.5), Temperature(0.0), Dist()), []),
        ((TopK(3), Penalties(), Greedy()), ["top_k does nothing: greedy"]),
        ((Penalties(repeat=1.1), TopK(3), Greedy()), ["top_k does nothing: greedy"]),
        ((TopNSigma(1.0), TypicalP(0.9), Dist()), ["typ_p after top_n_sigma"]),
        ((TypicalP(0.9), TopNSigma(1.0), Dist()), []),
    ],
)
def test_notes(stages: tuple[object, ...], expected: list[str]) -> None:
    notes = SamplerChain(stages).notes()  # type: ignore[arg-type]
    assert len(notes) == len(expected)
    for note, start in zip(notes, expected, strict=True):
        assert note.startswith(start)


def test_describe_gives_a_row_a_number_in_order() -> None:
    rows = [(r.position, r.stage, r.setting, r.value, r.off) for r in QWQ.describe()]
    assert rows[0] == (1, "temperature", "temperature", "0.6", False)
    assert (5, "penalties", "presence_penalty", "1", False) in rows
    assert (5, "penalties", "penalty_window", "generation", False) in rows
    assert rows[-1] == (6, "dist", "", "", False)
    assert SamplerChain((TopK(0), Dist())).describe()[0].off
