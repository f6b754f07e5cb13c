"""`fit` on real headers, and loading by what fits: the next smaller plan after one that did not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.engine.model import Model
from qwq_gguf.errors import NoRoomError, UsageError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.jobs import this_machine
from qwq_gguf.jobs.contexts import ContextWish
from qwq_gguf.jobs.events import Event, Note
from qwq_gguf.jobs.fitting import best_fit, fit
from qwq_gguf.jobs.loading import load_model
from qwq_gguf.jobs.planning import Wanted, plan_models
from qwq_gguf.jobs.sizing import sizes_of
from qwq_gguf.machine.devices import GIB, Machine, modelled_memory
from support.demo import make_demo
from support.family_checkpoints import gpt_oss, in_mxfp4, write_family
from support.tiny_gguf import write_random

HERE = Machine("here", modelled_memory(16 * GIB, bandwidth=20e9))


@pytest.fixture(scope="module")
def demo_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo as a GGUF."""
    return make_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is the same everywhere."""
    monkeypatch.setattr("qwq_gguf.jobs.fitting.this_machine", lambda **_: (HERE, ("a note",)))
    monkeypatch.setattr("qwq_gguf.jobs.fitting.measured_length", lambda _: None)
    monkeypatch.setattr(this_machine, "_pace", lambda *_: None)


def test_a_checkpoint_has_a_row_for_each_recipe() -> None:
    found = fit("demo")
    names = [row.candidate.recipe for row in found.rows]
    assert "Q4_K_M" in names
    assert "IQ2_XXS" not in names
    assert found.best is not None
    assert found.best.candidate.recipe == "Q8_0"
    quantize, chat = found.commands()
    assert quantize == "qwq-gguf quantize demo -r Q8_0"
    assert chat == "qwq-gguf chat QwQ-Demo-Q8_0.gguf -c 4096"
    value = found.to_json()
    assert value["recommended"] == "Q8_0"
    assert value["cache_bytes_a_token"]["f16"] == 3072
    row = value["rows"][0]
    assert row["memory"][0]["total"] == sum(
        row["memory"][0][part] for part in ("weights", "cache", "buffers")
    )


def test_a_quicker_cache_is_told_with_a_speed_that_differs() -> None:
    found = fit("demo")
    assert found.best is not None
    assert "--kv-type" not in found.why
    assert found.to_json()["rows"][0]["tokens_per_second_in_q8_0"] is None
    quicker = replace(found.best, speed=2.3, in_q8_0=2.64)
    told = replace(found, rows=(quicker,), best=quicker)
    assert "--kv-type q8_0 would write about 2.6 tokens a second here, not 2.3" in told.why
    assert told.to_json()["rows"][0]["tokens_per_second_in_q8_0"] == 2.64


@pytest.mark.parametrize("packed", [True, False])
def test_what_is_shown_can_be_made(packed: bool, tmp_path: Path) -> None:
    """Of experts in MXFP4 most recipes would be a second quantization, which `quantize` refuses."""
    family = gpt_oss(packed=packed)
    tensors = in_mxfp4(family.shapes) if packed else None
    folder = str(write_family(tmp_path / "gpt-oss", family, tensors=tensors))
    found = fit(folder, thought=100)
    names = [row.candidate.recipe for row in found.rows]
    for name in names:
        plan_models(Wanted(folder, recipes=(name,)))
    assert found.best is not None
    if packed:
        # Nothing is lost by it, and BF16 around the same experts is only larger.
        assert found.best.candidate.recipe == "MXFP4_MOE"
        assert "Q4_K_M" not in names
        assert {row.candidate.recipe for row in found.rows if not row.candidate.outdone} == {
            "MXFP4_MOE"
        }
    else:
        assert {"MXFP4_MOE", "Q4_K_M"} <= set(names)
    sizes = {size.recipe.name: size.again for size in sizes_of(folder).sizes}
    assert sizes["Q4_K_M"] is packed
    assert not sizes["MXFP4_MOE"]


def test_a_file_has_one_row_of_what_it_is(demo_path: Path) -> None:
    path = demo_path
    found = fit(str(path), device="24GB", ram=16 * GIB)
    (row,) = found.rows
    assert row.candidate.recipe == "Q4_K_M"
    assert row.candidate.file_bytes == path.stat().st_size
    assert row.placed is not None
    assert row.placed.all_on_cards
    assert found.making_seconds(row) == 0
    assert found.notes == ("the machine is modelled: nothing of it was measured",)
    assert fit(str(path), device="m3-36gb").notes == found.notes
    (note,) = fit(str(path), device="24GB").notes
    assert "main memory is that of this machine" in note
    assert fit(str(path), device="cpu").notes == ()
    with pytest.raises(UsageError, match="--ram goes with --device"):
        fit(str(path), ram=GIB)


def test_the_choice_for_run() -> None:
    row = best_fit("demo")
    assert row is not None
    assert row.placed is not None
    assert (row.placed.context, row.placed.kind) == (4096, GgmlType.F16)


def test_a_thought_that_no_context_holds_is_said() -> None:
    found = fit("demo", thought=9000)
    assert found.best is None
    assert found.commands() == ()
    assert found.why.startswith("no recipe leaves room for a thought")
    assert "the most there is is 4,096" in found.why


def test_loading_by_what_fits_says_what_was_chosen(demo_path: Path) -> None:
    said: list[Event] = []
    wish = ContextWish(automatic=frozenset({"context", "kv_type", "gpu_layers"}))
    with load_model(demo_path, said.append, usual_context=2048, wish=wish) as model:
        assert model.context_size == 2048
    assert Note("2,048 tokens of context in f16") in said


def test_a_plan_that_does_not_fit_is_followed_by_a_smaller_one(
    demo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Model.load
    tried: list[int] = []

    def load(path: Path, **options: Any) -> Model:
        tried.append(options["context"])
        if len(tried) < 3:
            raise NoRoomError("there is no room")
        return real(path, **options)

    monkeypatch.setattr(Model, "load", load)
    said: list[Event] = []
    wish = ContextWish(automatic=frozenset({"context"}))
    with load_model(demo_path, said.append, usual_context=4096, wish=wish) as model:
        assert model.context_size == tried[-1]
    assert tried == sorted(tried, reverse=True)
    assert len(set(tried)) == 3
    notes = [each.text for each in said if isinstance(each, Note)]
    assert sum("the next smaller plan is tried" in text for text in notes) == 2


def test_what_a_user_asks_for_is_not_made_smaller(
    demo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def load(path: Path, **options: Any) -> Model:
        tried.append(options["context"])
        raise NoRoomError("there is no room")

    monkeypatch.setattr(Model, "load", load)
    wish = ContextWish(automatic=frozenset({"gpu_layers"}))
    with pytest.raises(NoRoomError):
        load_model(demo_path, lambda _: None, usual_context=4096, context=1024, wish=wish)
    assert tried == [1024]


def test_nowhere_is_an_error_of_ours(demo_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = replace(HERE, ram=replace(HERE.ram, free=HERE.ram.reserve + 1))
    monkeypatch.setattr("qwq_gguf.jobs.fitting.this_machine", lambda **_: (tiny, ()))
    wish = ContextWish(automatic=frozenset({"context"}))
    with pytest.raises(NoRoomError, match="does not fit into this machine's memory"):
        load_model(demo_path, lambda _: None, usual_context=4096, wish=wish)


def test_heads_that_do_not_fill_a_block_keep_f16(tmp_path: Path) -> None:
    path = str(write_random(tmp_path / "narrow.gguf"))  # heads of 16 numbers
    found = fit(path, thought=16)
    assert list(found.to_json()["cache_bytes_a_token"]) == ["f16"]
    with pytest.raises(UsageError, match="cannot be kept in q8_0"):
        fit(path, kv_type="q8_0")


@pytest.mark.parametrize(
    "keys",
    [
        {"qwen2.block_count": 1 << 30},
        {"qwen2.attention.head_count_kv": 0},
        {"qwen2.context_length": 1 << 31},
        {"qwen2.attention.head_count": 1 << 31},
        {"qwen2.expert_count": 7, "qwen2.expert_used_count": 1 << 31},
    ],
)
def test_senseless_headers_are_refused_or_told_of(tmp_path: Path, keys: dict[str, int]) -> None:
    path = write_random(tmp_path / "odd.gguf", keys=keys)
    refused = ""
    try:
        json.dumps(fit(str(path)).to_json())
    except UsageError as error:
        refused = str(error)
    assert not refused or "does not say how large its layers are" in refused


def test_this_machine_is_measured_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QWQ_GGUF_CACHE_DIR", str(tmp_path / "cache"))
    asked: list[int] = []

    def measure(threads: int, nbytes: int) -> float:
        asked.append(threads)
        assert nbytes > 1 << 20
        return 21e9

    monkeypatch.setattr(this_machine, "measure_bandwidth", measure)
    monkeypatch.setattr(this_machine, "is_busy", lambda: False)
    first, _ = this_machine.this_machine()
    second, _ = this_machine.this_machine()
    assert first.ram.bandwidth == second.ram.bandwidth == 21e9
    assert len(asked) == 1
    assert 0 < first.ram.free <= first.ram.memory


def test_a_busy_machine_is_measured_again_and_its_best_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QWQ_GGUF_CACHE_DIR", str(tmp_path / "cache"))
    speeds = iter([5e9, 21e9, 9e9])
    monkeypatch.setattr(this_machine, "measure_bandwidth", lambda *_: next(speeds))
    busy = iter([True, True, False])
    monkeypatch.setattr(this_machine, "is_busy", lambda: next(busy))
    seen = [this_machine.this_machine()[0].ram.bandwidth for _ in range(5)]
    assert seen == [5e9, 21e9, 21e9, 21e9, 21e9]


def test_one_that_is_always_busy_is_measured_three_times(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QWQ_GGUF_CACHE_DIR", str(tmp_path / "cache"))
    speeds = iter([3e9, 1e9, 2e9])
    monkeypatch.setattr(this_machine, "measure_bandwidth", lambda *_: next(speeds))
    monkeypatch.setattr(this_machine, "is_busy", lambda: True)
    assert {this_machine.this_machine()[0].ram.bandwidth for _ in range(5)} == {3e9}
    assert next(speeds, None) is None


def test_who_loads_a_model_waits_for_no_timing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, demo_path: Path
) -> None:
    monkeypatch.setenv("QWQ_GGUF_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("qwq_gguf.jobs.fitting.this_machine", this_machine.this_machine)

    def never(*_: object) -> None:
        raise AssertionError("timed")

    monkeypatch.setattr(this_machine, "measure_bandwidth", never)
    monkeypatch.setattr(this_machine, "_pace", never)
    wish = ContextWish(automatic=frozenset({"context"}))
    load_model(demo_path, lambda _: None, usual_context=4096, wish=wish).close()


def test_cards_that_the_build_cannot_use_are_named_and_not_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from qwq_gguf.machine.recording import Output, Recording

    line = "0, NVIDIA GeForce RTX 3090, 24576, 20000, 8.6, 550.54\n"
    seen = Recording("linux", "x86_64", {"nvidia-smi": Output(0, line)})
    monkeypatch.setattr(this_machine, "look", lambda **_: seen)
    monkeypatch.setattr(this_machine, "_bandwidth", lambda *_: 1e9)
    monkeypatch.setattr(this_machine, "_offloads", lambda: False)
    machine, notes = this_machine.this_machine()
    assert machine.cards == ()
    assert "RTX 3090 is not counted" in notes[0]
    monkeypatch.setattr(this_machine, "_offloads", lambda: True)
    machine, notes = this_machine.this_machine()
    assert notes == ()
    assert (machine.cards[0].free, machine.cards[0].bandwidth) == (20000 << 20, 936e9)
