"""A model's file that becomes shorter while it is used is an error, not the end of the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qwq_gguf.engine.loading.mapped import ModelFiles
from qwq_gguf.errors import ModelError
from support.tiny_gguf import write_random

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="SIGBUS is mended on Linux")

SCRIPT = """
import os, sys
from qwq_gguf.errors import ModelError
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.sampling import Greedy, SamplerChain

path, when = sys.argv[1:]
size = os.path.getsize(path)
# What is on a card is no longer in the file.
model = Model.load(path, threads=int(os.environ.get("THREADS", "1")), gpu_layers=0)
session = Session(model)
prompt = list(range(100, 140))
chain = SamplerChain((Greedy(),))

def cut():
    os.truncate(path, size // 2)

def refused(call):
    try:
        call()
    except ModelError as error:
        assert "cut short" in str(error), error
        return True
    return False

if when == "between":
    cut()
    assert refused(lambda: session.generate(prompt, chain, seed=1))
elif when == "prompt":
    # No look at the size lies between this and the computation.
    generation = session.generate(prompt, chain, seed=1)
    cut()
    assert refused(lambda: next(generation))
else:
    generation = session.generate(prompt, chain, seed=1)
    next(generation)
    cut()
    assert refused(lambda: next(generation))
assert refused(lambda: session.generate(prompt, chain, seed=1))
model.close()

# Made whole again, it can be loaded anew.
if when == "prompt":
    os.replace(path + ".whole", path)
    with Model.load(path, threads=1) as model:
        assert list(Session(model).generate(prompt, chain, seed=1, max_tokens=3))
print("well")
"""


@linux
@pytest.mark.parametrize("threads", ["1", "4"])
@pytest.mark.parametrize("when", ["between", "prompt", "generation"])
def test_a_file_cut_short_is_an_error(tmp_path: Path, when: str, threads: str) -> None:
    path = write_random(tmp_path / "m.gguf", width=512, ffn=2048, heads=8, kv_heads=8)
    (tmp_path / "m.gguf.whole").write_bytes(path.read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), when],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"THREADS": threads},
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr


@linux
def test_another_bus_error_still_ends_the_process(tmp_path: Path) -> None:
    script = """
import mmap, os, sys
from pathlib import Path
from qwq_gguf.engine.loading.mapped import ModelFiles
ours, other = map(Path, sys.argv[1:])
files = ModelFiles([ours])
files.watch()
with other.open("r+b") as file:
    mapped = mmap.mmap(file.fileno(), 1 << 20)
    os.truncate(other, 10)
    mapped[1 << 19]
print("still here")
"""
    for name in ("ours", "other"):
        (tmp_path / name).write_bytes(bytes(1 << 20))
    command = [sys.executable, "-c", script, str(tmp_path / "ours"), str(tmp_path / "other")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode < 0
    assert done.stdout == ""
    # Of a file of ours it reads zeros, and the model knows.
    (tmp_path / "ours").write_bytes(bytes(1 << 20))
    done = subprocess.run(
        [*command[:-1], str(tmp_path / "ours")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "still here\n"), done.stderr


def test_only_a_shorter_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    files = ModelFiles([path])
    files.check()
    os.utime(path, (1, 1))
    files.check()
    other = tmp_path / "other"
    other.write_bytes(bytes(10))
    kept = tmp_path / "kept"
    path.rename(kept)
    files.check()  # gone from under its name: what is mapped stays
    other.rename(path)
    files.check()
    path.unlink()
    kept.rename(path)
    os.truncate(path, 99)
    with pytest.raises(ModelError, match="cut short") as caught:
        files.check()
    assert (caught.value.found, caught.value.expected) == ("99 bytes", "100 bytes")
    with pytest.raises(ModelError, match="cut short"):
        files.check_read()
