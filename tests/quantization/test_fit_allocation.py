"""The search for the best types within a size, beside trying all of them."""

from __future__ import annotations

import itertools
import random

import pytest

from qwq_gguf.quantization.fitting.allocation import Option, allocate, hull

Tensors = list[list[Option]]


def drawn(seed: int) -> Tensors:
    """A few tensors, some alike, with options of any order; of some, more bytes are worse."""
    rng = random.Random(seed)
    tensors: Tensors = []
    for _ in range(rng.randint(1, 5)):
        if tensors and rng.random() < 0.3:
            tensors.append(list(rng.choice(tensors)))
            continue
        scale = rng.choice((1, 1, 7, 40))
        tensors.append(
            [
                Option(scale * rng.randint(1, 20), round(rng.random() ** 3, 3))
                for _ in range(rng.randint(1, 5))
            ]
        )
    return tensors


def best(tensors: Tensors, limit: int) -> float | None:
    """By trying all."""
    return min(
        (
            sum(option.error for option in choice)
            for choice in itertools.product(*tensors)
            if sum(option.nbytes for option in choice) <= limit
        ),
        default=None,
    )


@pytest.mark.parametrize("seed", range(25))
def test_it_lies_between_the_best_and_its_own_bound(seed: int) -> None:
    tensors = drawn(seed)
    largest = sum(max(option.nbytes for option in options) for options in tensors)
    for limit in (*range(0, largest, max(1, largest // 30)), largest):
        found, true = allocate(tensors, limit), best(tensors, limit)
        assert (found is None) == (true is None)
        if found is None or true is None:
            continue
        chosen = [options[pick] for options, pick in zip(tensors, found.picks, strict=True)]
        assert found.nbytes == sum(option.nbytes for option in chosen) <= limit
        assert found.error == pytest.approx(sum(option.error for option in chosen))
        assert found.bound <= true + 1e-9
        assert true <= found.error + 1e-9
        # What the multiplier leaves open is less than one step of one hull.
        assert found.error - found.bound <= longest_step(tensors) + 1e-9
    with_room = allocate(tensors, largest)
    assert with_room is not None
    assert with_room.error == pytest.approx(best(tensors, largest))


def longest_step(tensors: Tensors) -> float:
    steps = [0.0]
    for options in tensors:
        own = hull(options)
        steps += [options[a].error - options[b].error for a, b in itertools.pairwise(own)]
    return max(steps)


@pytest.mark.parametrize("seed", range(10))
def test_where_the_price_fits_exactly_it_is_the_best(seed: int) -> None:
    tensors = drawn(100 + seed)
    steps = sorted(
        {
            (a.error - b.error) / (b.nbytes - a.nbytes)
            for options in tensors
            for a, b in itertools.pairwise([options[n] for n in hull(options)])
        }
    )
    for price in (0.0, *steps):
        chosen = [
            min(options, key=lambda o: (o.error + price * o.nbytes, o)) for options in tensors
        ]
        limit = sum(option.nbytes for option in chosen)
        found = allocate(tensors, limit)
        assert found is not None
        assert found.error == pytest.approx(best(tensors, limit), abs=1e-9)


def test_the_hull_leaves_out_what_is_outdone() -> None:
    options = [
        Option(10, 0.1),
        Option(2, 0.9),
        Option(5, 0.85),  # above the line between its neighbours
        Option(6, 0.3),
        Option(7, 0.3),  # dearer and no better
        Option(12, 0.2),
    ]
    assert hull(options) == [1, 3, 0]


def test_what_is_left_buys_options_off_the_hull() -> None:
    tensors = [[Option(2, 0.9), Option(5, 0.85), Option(6, 0.3)]]
    found = allocate(tensors, 5)
    assert found is not None
    assert found.picks == (1,)
    assert found.bound < 0.85


def test_hundreds_of_tensors_take_no_time() -> None:
    rng = random.Random(5)
    tensors = [
        [Option(bits * size, rng.random() * 4.0**-bits) for bits in range(1, 9)]
        for size in (rng.randint(10, 1000) for _ in range(600))
    ]
    least = sum(options[0].nbytes for options in tensors)
    found = allocate(tensors, 4 * least)
    assert found is not None
    assert found.nbytes <= 4 * least
    assert found.error <= found.bound * 1.001
