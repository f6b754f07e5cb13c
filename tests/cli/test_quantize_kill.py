"""SIGKILL at 50 moments of `quantize`, in all phases: the same command makes the same file."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.kill_world import COMMANDS, KillWorld
from support.killing import Moment

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="which file a system call is for is read there"
)
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


@pytest.mark.parametrize("first", ["stream", "plain"])
def test_a_stream_goes_on_with_what_the_cache_began_and_the_reverse(
    world: KillWorld, first: str
) -> None:
    streamed = world.command("stream")
    flags = ["--stream"]
    arguments = [each for each in streamed.arguments if each not in flags]
    runs = [[*arguments, *flags], arguments]
    with TemporaryDirectory(dir=world.scratch) as folder:
        here = Path(folder)
        begun, then = runs if first == "stream" else reversed(runs)
        late = Moment("rows", 24)
        killed = world.server.run(begun, here, places=[world.checkpoint], kill=late)
        assert killed.killed, killed.output
        done = world.server.run(then, here, places=[world.checkpoint])
        assert done.status == 0, done.output
        assert "going on at" in done.output
        assert sorted(path.name for path in here.iterdir()) == sorted(streamed.files)
        gguf = here / "Tiny-1B-Q8_0.gguf"
        assert sha256(gguf.read_bytes()).hexdigest() == streamed.files[gguf.name]
