"""The planner on values: what goes where, what is chosen, and that no thought is cut off."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from qwq_gguf.errors import UsageError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.machine.choosing import Candidate, Wanted, best_row, ladder, row_of
from qwq_gguf.machine.devices import GIB, MIB, Device, Machine, modelled_memory
from qwq_gguf.machine.known_cards import (
    KnownCard,
    KnownChip,
    known_cards,
    known_chips,
    model_device,
    published,
)
from qwq_gguf.machine.kv_cache import KvShape
from qwq_gguf.machine.model_size import LayerBytes, ModelShape, TensorSize, WeightBytes
from qwq_gguf.machine.pace import Pace
from qwq_gguf.machine.placing import Placement, place
from qwq_gguf.machine.speed import seconds_a_token
from qwq_gguf.machine.thought_lengths import NO_THOUGHT, thought_length
from qwq_gguf.quantization.planning.plan import make_plan
from qwq_gguf.quantization.recipes.shipped import load_recipe
from support import shapes

F16, Q8_0 = GgmlType.F16, GgmlType.Q8_0
RECIPES = ("Q3_K_M", "IQ4_XS", "Q4_K_S", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "BF16")
HERE = Machine("here", modelled_memory(32 * GIB))


class Header:
    """The keys of a conversion as those of a file."""

    def __init__(self, shape: shapes.Shape) -> None:
        self.path = Path("x.gguf")
        self.architecture: str | None = shape.architecture
        self.metadata = {entry.key: entry for entry in shapes.keys(shape)}

    def integer(self, key: str) -> int | None:
        entry = self.metadata.get(key)
        return entry.scalar if entry is not None and isinstance(entry.scalar, int) else None


@pytest.fixture(scope="module")
def qwq() -> tuple[ModelShape, list[Candidate]]:
    made = shapes.conversion(shapes.QWQ_32B, Path("none"))
    found = ModelShape.of(Header(shapes.QWQ_32B))
    assert found is not None
    shape = replace(found, trained=40960)
    candidates = []
    for name in RECIPES:
        plan = make_plan(made, load_recipe(name))
        weights = WeightBytes.of(map(TensorSize.of, plan.tensors), shape)
        candidates.append(Candidate(name, plan.file_bytes, plan.weights, weights))
    return shape, candidates


def wanted(**changes: object) -> Wanted:
    return replace(Wanted(16384, thought_length("qwq")), **changes)  # type: ignore[arg-type]


def chosen(qwq: tuple[ModelShape, list[Candidate]], device: str, **changes: object) -> str | None:
    shape, candidates = qwq
    machine = model_device(device, HERE, 32 * GIB)
    rows = [row_of(shape, each, machine, wanted(**changes)) for each in candidates]
    best = best_row(rows)
    return None if best is None else best.candidate.recipe


def test_weights_are_those_of_the_plan(qwq: tuple[ModelShape, list[Candidate]]) -> None:
    shape, candidates = qwq
    q4 = candidates[3]
    # llama-quantize's own dry run of QwQ-32B: 18926 MiB at 4.85 bits.
    assert round(q4.weights.total / MIB) == 18926
    assert round(q4.bits, 2) == 4.85
    assert q4.weights.embedding == 152064 * 5120 * 144 // 256
    assert shape.cache.nbytes(1) == 256 * 1024


@pytest.mark.parametrize(
    ("shape", "context", "batch", "flash", "mib"),
    [
        # What llama.cpp says of its compute buffer, of models without their weights (no_alloc).
        (shapes.QWQ_32B, 16384, 128, True, 79.25),
        (shapes.QWQ_32B, 131072, 128, True, 82.5),
        (shapes.QWQ_32B, 131072, 512, True, 330.01),
        (shapes.QWQ_32B, 16384, 128, False, 341.5),
        (shapes.R1_7B, 131072, 512, False, 7461.01),
        (shapes.Shape("llama", 4096, 2, 32, 8, 14336, 512), 512, 128, True, 29.13),
        (shapes.Shape("llama", 4096, 2, 32, 8, 14336, 512), 131072, 512, True, 244.01),
        (shapes.QWEN_05B, 32768, 512, False, 969.26),
    ],
)
def test_compute_buffers_are_llama_cpps(
    shape: shapes.Shape, context: int, batch: int, flash: bool, mib: float
) -> None:
    found = ModelShape.of(Header(shape))
    assert found is not None
    ours = found.buffer_bytes(context, batch, flash=flash) / MIB
    assert ours == pytest.approx(mib, rel=0.01)


def test_the_inside_of_experts_counts() -> None:
    shape = ModelShape(
        "qwen3moe",
        48,
        2048,
        8 * 768,
        128,
        8,
        16,
        2048,
        1000,
        None,
        KvShape(((512, 512),), (128,) * 2),
    )
    # The same, of a Qwen3-30B-A3B with a small vocabulary.
    assert shape.buffer_bytes(131072, 128) / MIB == pytest.approx(53.0, rel=0.01)
    assert shape.buffer_bytes(512, 128) / MIB == pytest.approx(21.13, rel=0.01)


def test_a_full_card_gets_everything_but_the_embedding(
    qwq: tuple[ModelShape, list[Candidate]],
) -> None:
    shape, candidates = qwq
    weights = candidates[3].weights
    found = place(shape, weights, model_device("rtx3090", HERE, 32 * GIB), 16384, F16)
    assert found is not None
    assert found.all_on_cards
    assert found.ram.weights == weights.embedding
    assert found.cards[0].weights == weights.total - weights.embedding
    assert found.cards[0].cache == 4 * GIB
    assert found.cards[0].total <= 24 * GIB - 768 * MIB


def test_what_a_card_cannot_hold_stays_behind_layer_by_layer(
    qwq: tuple[ModelShape, list[Candidate]],
) -> None:
    shape, candidates = qwq
    machine = model_device("16GB", HERE, 32 * GIB)
    found = place(shape, candidates[3].weights, machine, 16384, F16)
    assert found is not None
    assert 0 < found.gpu_layers < found.layers
    assert found.ram.weights + found.cards[0].weights == candidates[3].weights.total
    one_more = place(
        shape, candidates[3].weights, machine, 16384, F16, gpu_layers=found.gpu_layers + 1
    )
    assert one_more is None
    # Nowhere: neither the card nor 8 GB of main memory.
    assert (
        place(shape, candidates[-1].weights, model_device("16GB", HERE, 8 * GIB), 512, F16) is None
    )


def test_two_cards_share_layers_by_their_memory(qwq: tuple[ModelShape, list[Candidate]]) -> None:
    shape, candidates = qwq
    found = place(shape, candidates[3].weights, model_device("2x16GB", HERE, 32 * GIB), 16384, F16)
    assert found is not None
    assert found.all_on_cards
    first, second = (share.weights for share in found.cards)
    assert abs(first - second) < 0.1 * first


def test_experts_stay_in_main_memory_before_layers_do() -> None:
    layers = tuple(LayerBytes(100 * MIB, 900 * MIB) for _ in range(10))
    weights = WeightBytes(layers, 200 * MIB, 300 * MIB, False, 1 / 16)
    cache = KvShape(((512, 512),) * 10, (128, 128))
    shape = ModelShape("qwen3moe", 10, 2048, 6144, 128, 8, 16, 2048, 1000, 32768, cache)
    machine = model_device("8GB", HERE, 32 * GIB)
    found = place(shape, weights, machine, 8192, F16)
    assert found is not None
    assert found.gpu_layers == found.layers
    assert 0 < found.cpu_experts < 10
    assert found.ram.weights == 200 * MIB + found.cpu_experts * 900 * MIB
    # A token asks a sixteenth of them, so they cost little there.
    behind = seconds_a_token(shape, weights, machine, found, 0)
    half = place(shape, weights, machine, 8192, F16, gpu_layers=6)
    assert half is not None
    assert behind < seconds_a_token(shape, weights, machine, half, 0)


@pytest.mark.parametrize(
    ("device", "recipe"),
    [
        ("rtx3090", "Q4_K_M"),  # Q5_K_M leaves no room for a long thought
        ("rtx5090", "Q6_K"),
        ("rx7900xtx", "Q4_K_M"),
        ("2x16GB", "Q5_K_M"),
        ("h100", "Q6_K"),
        ("m3-max-36gb", "Q4_K_M"),
        ("16GB", "IQ4_XS"),
        ("cpu", "Q4_K_S"),  # hardly slower than IQ4_XS
    ],
)
def test_a_recipe_for_each_machine(
    qwq: tuple[ModelShape, list[Candidate]], device: str, recipe: str
) -> None:
    assert chosen(qwq, device) == recipe


def test_a_context_that_holds_no_thought_is_never_recommended(
    qwq: tuple[ModelShape, list[Candidate]],
) -> None:
    shape, candidates = qwq
    assert chosen(qwq, "rtx3090", context=2048) is None
    row = row_of(
        shape, candidates[3], model_device("rtx3090", HERE, 32 * GIB), wanted(context=2048)
    )
    assert row.placed is not None
    assert not row.enough
    short = replace(shape, trained=4096)
    rows = [row_of(short, each, HERE, wanted()) for each in candidates]
    assert any(row.placed for row in rows)
    assert best_row(rows) is None
    # One that does not think needs no such room.
    rows = [row_of(short, each, HERE, replace(wanted(), thought=NO_THOUGHT)) for each in candidates]
    assert best_row(rows) is not None


def test_a_cache_that_is_quicker_here_is_told_only_where_that_was_timed(
    qwq: tuple[ModelShape, list[Candidate]],
) -> None:
    shape, candidates = qwq
    ram = modelled_memory(64 * GIB)

    def told(f16: float, q8_0: float, **changes: object) -> tuple[float, float]:
        heads = {128: {F16: f16, Q8_0: q8_0}}
        rates = {GgmlType.Q4_K: 2e-11}
        pace = Pace(4, 1e-5, {GgmlType.Q4_K: 3e-11}, rates, heads, rates, (2048.0, 512.0))
        timed = Machine("timed", replace(ram, pace=pace))
        row = row_of(shape, candidates[3], timed, wanted(**changes))
        return row.speed, row.in_q8_0

    speed, other = told(2e-10, 2e-11)
    assert other > 1.1 * speed
    assert told(2e-11, 2e-11)[1] == 0  # half the bytes, but not a tenth quicker in all
    assert told(2e-10, 2e-11, kind=F16)[1] == 0  # who asks for a type has it
    untimed = row_of(shape, candidates[3], Machine("untimed", ram), wanted())
    assert untimed.placed is not None
    assert untimed.in_q8_0 == 0


def test_a_longer_thought_takes_a_longer_context(qwq: tuple[ModelShape, list[Candidate]]) -> None:
    shape, candidates = qwq
    machine = model_device("rtx3090", HERE, 32 * GIB)
    tight = row_of(shape, candidates[4], machine, wanted())
    assert tight.placed is not None
    assert tight.placed.kind is Q8_0
    assert tight.enough
    assert not tight.ample
    assert tight.placed.context >= wanted().least


def test_the_ladder_only_goes_down(qwq: tuple[ModelShape, list[Candidate]]) -> None:
    shape, candidates = qwq
    steps = list(ladder(shape, candidates[3], model_device("rtx3090", HERE, 32 * GIB), wanted()))
    assert len(steps) > 4
    for before, after in itertools.pairwise(steps):
        assert after.total < before.total or after.gpu_layers < before.gpu_layers
    asked = list(ladder(shape, candidates[3], HERE, wanted(context=8192, kind=Q8_0)))
    assert [(each.context, each.kind) for each in asked] == [(8192, Q8_0)]


def test_more_tokens_in_the_cache_make_it_slower(qwq: tuple[ModelShape, list[Candidate]]) -> None:
    shape, candidates = qwq
    machine = model_device("rtx4090", HERE, 32 * GIB)
    weights = candidates[3].weights
    placed = place(shape, weights, machine, 16384, F16)
    assert isinstance(placed, Placement)
    begin, late = (seconds_a_token(shape, weights, machine, placed, n) for n in (0, 16384))
    assert 25 < 1 / begin < 40
    assert late > begin * 1.1


def test_devices_by_name() -> None:
    machine = model_device("2x16GB", HERE)
    assert [card.memory for card in machine.cards] == [16 * GIB] * 2
    assert machine.ram == HERE.ram
    given = model_device("24GB@500", HERE).cards[0]
    assert (given.memory, given.bandwidth) == (24 * GIB, 500e9)
    apple = model_device("m3-36gb", HERE)
    assert apple.unified
    assert apple.name == "Apple M3 Pro with 36 GB"
    assert apple.cards[0].memory == 24 * GIB  # two thirds: what Metal allows
    assert model_device("RTX 4070 Ti Super", HERE).cards[0].bandwidth == 672e9
    assert model_device("cpu", HERE).cards == ()
    for wrong in ("", "0x24GB", "99x24GB", "rtx9999", "m3-37gb", "24", "GB"):
        with pytest.raises(UsageError):
            model_device(wrong, HERE)


def test_drivers_names_are_found() -> None:
    for told, name in (
        ("NVIDIA GeForce RTX 4070 Ti SUPER", "RTX 4070 Ti Super"),
        ("NVIDIA GeForce RTX 4070", "RTX 4070"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("AMD Radeon RX 7900 XTX", "RX 7900 XTX"),
    ):
        found = published(told)
        assert found is not None
        assert found.name == name
    assert published("NVIDIA Something New") is None


def test_each_figure_has_its_source() -> None:
    figures: list[KnownCard | KnownChip] = [*known_cards(), *known_chips()]
    for each in figures:
        assert each.source.startswith("https://")
        assert 50e9 < each.bandwidth < 6e12
    names = [card.name.lower() for card in known_cards()]
    assert len(names) == len(set(names))


def test_a_demo_thinks_shortly_and_all_others_have_an_entry() -> None:
    assert thought_length("qwq", "QwQ-Demo").long == 160
    assert thought_length("r1-distill").typical == 6000
    assert thought_length("anything").typical == 5000
    assert "https://" in thought_length("qwq").source


def test_a_reserve_leaves_something_of_small_memories() -> None:
    assert modelled_memory(8 * GIB).usable == 6 * GIB
    assert Device("x", GIB, 100, 1e9, "y").usable == 0
