"""Who is in the next batch: on integers alone, against a cache that is a list of lists."""

from __future__ import annotations

import random
from itertools import count

import pytest

from qwq_gguf.engine.batching.cells import Cells
from qwq_gguf.engine.batching.limits import Limits
from qwq_gguf.engine.batching.scheduler import Scheduler
from qwq_gguf.engine.batching.text import Copy, Cut, Step, Text, common
from qwq_gguf.errors import ModelError


def limits(**changed: int) -> Limits:
    usual = {"running": 3, "seats": 5, "cells": 200, "batch": 32, "chunk": 8, "waiting": 9}
    return Limits(**{**usual, **changed})  # type: ignore[arg-type]


class Cache:
    """What llama.cpp would hold: for each seat its tokens, each in a cell with a number."""

    def __init__(self, seats: int) -> None:
        self.seats: list[list[tuple[int, int]]] = [[] for _ in range(seats)]
        self._cells = count()

    @property
    def used(self) -> int:
        return len({cell for seat in self.seats for _, cell in seat})

    def move(self, moves: list[Cut | Copy]) -> None:
        for move in moves:
            if isinstance(move, Cut):
                del self.seats[move.seat][move.keep :]
            else:
                assert not self.seats[move.target]
                self.seats[move.target] = self.seats[move.source][: move.size]
                assert len(self.seats[move.target]) == move.size

    def compute(self, step: Step) -> None:
        for text, seat, first, size, _last in step.runs:
            assert [token for token, _ in self.seats[seat]] == text.tokens[:first]
            tokens = text.tokens[first : first + size]
            self.seats[seat] += [(token, next(self._cells)) for token in tokens]


class World:
    """A scheduler, and somebody who does what it says."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.scheduler = Scheduler(limits)
        self.cache = Cache(limits.seats)

    def step(self) -> Step:
        step = self.scheduler.plan()
        self.cache.move(step.moves)
        assert step.tokens <= self.limits.batch
        assert len({run.text for run in step.runs}) == len(step.runs)
        self.cache.compute(step)
        assert self.cache.used <= self.limits.cells
        self.scheduler.done(step.runs)
        assert self.cache.used == self.scheduler.used_cells
        return step

    def write(self, step: Step, token: int = 7) -> list[Text]:
        """Pick a token for each text that was computed to its end; gives these."""
        picked = [run.text for run in step.runs if run.last]
        for text in picked:
            assert text.ready
            self.scheduler.write(text, token)
        return picked

    def leave(self, text: Text, *, keep: bool = True) -> None:
        self.cache.move([*self.scheduler.leave(text, keep=keep)])
        assert text.seat is None
        assert text not in (*self.scheduler.running, *self.scheduler.waiting)


def world(**changed: int) -> World:
    return World(limits(**changed))


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_whatever_happens_nobody_starves_and_no_bound_is_passed(first: int) -> None:
    for seed in range(first, first + 50):
        play(random.Random(seed))


def play(chance: random.Random) -> None:
    """Texts join, write, are read or not, leave, and spoil the cache; all come to their end."""
    running = chance.randint(1, 5)
    cells = chance.randint(40, 200)
    batch = chance.randint(running, 40)
    here = world(
        running=running,
        seats=running + chance.randint(0, 3),
        cells=cells,
        batch=batch,
        chunk=chance.randint(1, batch),
        cuttable=chance.random() < 0.8,
    )
    beginnings = [[chance.randint(0, 3) for _ in range(chance.randint(1, 30))] for _ in range(3)]
    left: dict[Text, int] = {}  # tokens that each has yet to write
    to_join = chance.randint(5, 25)
    for _ in range(20_000):
        if to_join and chance.random() < 0.3:
            own = [chance.randint(0, 3) for _ in range(chance.randint(1, 20))]
            prompt = (chance.choice(beginnings) + own)[: cells - 1]
            to_join -= 1
            left[here.scheduler.join(prompt)] = min(chance.randint(1, 40), cells - len(prompt))
        for text in list(left):
            if chance.random() < 0.01:
                here.leave(text, keep=chance.random() < 0.5)
                del left[text]
            elif chance.random() < 0.1:
                text.ready = not text.ready
        if chance.random() < 0.2:
            for text in left:
                text.ready = True
        if chance.random() < 0.01:
            here.scheduler.restart(suspect=chance.random() < 0.7)
            for seat in here.cache.seats:
                seat.clear()
        step = here.step()
        if left and all(text.ready for text in left):
            assert step.runs, "everybody waits for nobody"
        for text in here.write(step, chance.randint(0, 3)):
            left[text] -= 1
            if left[text] <= 0:
                here.leave(text)
                del left[text]
        if not left and not to_join:
            return
    raise AssertionError("some have not come to their end")


def test_all_that_wait_for_a_token_get_one_in_every_step_beside_a_long_prompt() -> None:
    here = world(cells=2000)
    short = [here.scheduler.join([1, 2]) for _ in range(2)]
    here.write(here.step())
    long = here.scheduler.join([3] * 1000)
    steps = 0
    while long.computed < 1000:
        step = here.step()
        assert {run.text for run in step.runs if run.size == 1} >= set(short)
        assert step.tokens <= 8
        here.write(step)
        steps += 1
    assert steps == 167  # and the rest of a chunk is of it in each


def test_many_that_wait_for_a_token_leave_a_prompt_half_a_chunk() -> None:
    here = world(running=12, seats=12, cells=2000)
    short = [here.scheduler.join([1 + number]) for number in range(11)]
    here.write(here.step())
    here.scheduler.join([90] * 100)
    step = here.step()
    assert {run.text for run in step.runs if run.size == 1} == set(short)
    assert step.tokens == 11 + 4


def test_alone_a_prompt_is_computed_in_whole_batches() -> None:
    here = world()
    here.scheduler.join([3] * 100)
    assert [here.step().tokens for _ in range(4)] == [32, 32, 32, 4]


def test_a_short_prompt_does_not_wait_for_a_long_one_nor_starve_it() -> None:
    here = world(cells=5000)
    long = here.scheduler.join([1] * 640)
    here.step()
    for number in range(20):
        short = here.scheduler.join([2 + number, 5, 5, 5])
        before = long.computed
        here.write(here.step())
        assert short.tokens[-1] == 7  # it has its first token already
        assert long.computed - before >= 4
        here.leave(short)


def test_one_that_leaves_is_in_no_further_step_and_its_turn_is_another_s() -> None:
    here = world(running=2)
    one, two, three = (here.scheduler.join([n, n]) for n in (1, 2, 3))
    here.write(here.step())
    assert here.scheduler.waiting == (three,)
    here.leave(one)
    assert {run.text for run in here.step().runs} == {two, three}


def test_a_beginning_in_common_is_computed_once() -> None:
    here = world(batch=128, chunk=64)
    system = list(range(50))
    first = here.scheduler.join([*system, 90])
    others = [here.scheduler.join([*system, 91 + n]) for n in range(2)]
    assert here.step().tokens == 51  # the others wait for it
    assert first.pending == 0
    step = here.step()
    assert [run.size for run in step.runs] == [1, 1]
    assert here.scheduler.used_cells == 53
    assert [text.reused for text in others] == [50, 50]


def test_what_ended_texts_leave_serves_the_next_until_room_is_short() -> None:
    here = world(running=1, seats=3, cells=60)
    chat = here.scheduler.join(list(range(30)))
    here.write(here.step())
    here.leave(chat)
    other = here.scheduler.join([50, 51, 52])
    here.write(here.step())
    here.leave(other)
    again = here.scheduler.join([*range(30), 7, 8, 9])
    assert here.step().tokens == 3
    assert again.reused == 30
    here.leave(again)
    big = here.scheduler.join([1] * 50)
    while big.pending:
        here.step()
    assert here.scheduler.used_cells <= 60


def test_the_youngest_gives_way_and_goes_on_with_what_it_has_written() -> None:
    here = world(running=2, seats=2, cells=64, batch=64, chunk=64)
    old, young = here.scheduler.join([1] * 20), here.scheduler.join([2] * 10)
    written: dict[Text, int] = {old: 0, young: 0}
    while written[old] < 40:
        step = here.step()
        assert old.seat is not None
        for text in here.write(step):
            written[text] += 1
    assert young.seat is None
    before = list(young.tokens)
    here.leave(old)
    while young.pending:
        here.step()
    assert young.tokens == before


def test_one_that_nobody_reads_gives_up_its_turn_and_gets_it_back_for_nothing() -> None:
    here = world(running=1, seats=2)
    asleep = here.scheduler.join([1, 2, 3])
    here.write(here.step())
    asleep.ready = False
    here.step()
    other = here.scheduler.join([4, 5])
    for _ in range(40):
        here.step()
    assert other.seat is not None
    assert asleep.seat is None
    asleep.ready = True
    here.leave(other)
    assert here.step().tokens == 1  # its cells were still there


def test_after_damage_each_is_computed_alone_until_it_has_written() -> None:
    here = world()
    texts = [here.scheduler.join([n] * 5) for n in range(3)]
    here.write(here.step())
    here.scheduler.restart(suspect=True)
    for seat in here.cache.seats:
        seat.clear()
    for text in texts:
        step = here.step()
        assert [run.text for run in step.runs] == [text]
        here.write(step)
    assert len(here.step().runs) == 3


@pytest.mark.parametrize(
    "changed", [{"running": 0}, {"seats": 2}, {"batch": 2}, {"chunk": 0}, {"chunk": 99}]
)
def test_limits_that_make_no_sense(changed: dict[str, int]) -> None:
    with pytest.raises(ModelError):
        limits(**changed)


def test_cells_are_counted_as_sets_of_them_would_be() -> None:
    for seed in range(100):
        chance = random.Random(seed)
        cells, sets, numbers = Cells(4), [list[int]() for _ in range(4)], count()
        for _ in range(60):
            seat, other = chance.sample(range(4), 2)
            match chance.randrange(3):
                case 0:
                    size = chance.randint(0, 9)
                    cells.extend(seat, size)
                    sets[seat] += [next(numbers) for _ in range(size)]
                case 1:
                    keep = chance.randint(0, len(sets[seat]) + 2)
                    cells.cut(seat, keep)
                    del sets[seat][keep:]
                case _:
                    size = chance.randint(0, len(sets[seat]))
                    cells.cut(other, 0)
                    cells.copy(seat, other, size)
                    sets[other] = sets[seat][:size]
            assert cells.used == len({cell for each in sets for cell in each})
            held_elsewhere = {c for i, each in enumerate(sets) if i != seat for c in each}
            assert cells.freed_without(seat) == len(set(sets[seat]) - held_elsewhere)
            assert cells.of(seat) == len(sets[seat])


def test_what_two_lists_begin_with() -> None:
    for seed in range(200):
        chance = random.Random(seed)
        size, other = chance.randint(0, 50), chance.randint(0, 50)
        alike = chance.randint(0, min(size, other))
        one = [0] * size
        two = [0] * alike + [1] * (other - alike)
        assert common(one, two) == alike
