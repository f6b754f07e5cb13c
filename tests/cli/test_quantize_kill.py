"""SIGKILL at 50 moments of `quantize`, in all phases: the same command makes the same file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.kill_world import COMMANDS, KillWorld

SEEDS = {"force": range(14), "several": range(14), "stream": range(10), "plain": range(12)}


@pytest.fixture(scope="module")
def world() -> Iterator[KillWorld]:
    with KillWorld() as made:
        yield made


def test_there_are_so_many() -> None:
    assert sum(map(len, SEEDS.values())) == 50
    assert SEEDS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name, seed", [(name, seed) for name in SEEDS for seed in SEEDS[name]])
def test_killed_and_resumed(world: KillWorld, name: str, seed: int) -> None:
    world.kill_at_calls(name, seed)
