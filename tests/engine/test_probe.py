from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.engine.loading.fact_cache import Memory
from qwq_gguf.engine.loading.guard import Ending, Outcome, run_child
from qwq_gguf.engine.loading.probe import Probe, library_identity, probe
from qwq_gguf.engine.loading.probe_model import PROBE_MODEL
from qwq_gguf.errors import LibraryError
from qwq_gguf.gguf_file import read_gguf

# A stand-in for the child's interpreter: python -c SCRIPT REQUEST.
CHILD = """
import json, os, signal, sys
request = json.loads(sys.argv[1])
if {crash}:
    sys.stderr.write("/src/ggml-cpu/amx/mmq.cpp:12: something\\n")
    os.kill(os.getpid(), signal.{signal})
print("noise from a library")
print('qwq-gguf:{{"ok": true}}')
"""


def child(crash: str, signal: str = "SIGSEGV") -> list[str]:
    return [sys.executable, "-c", CHILD.format(crash=crash, signal=signal)]


class Script:
    """A runner that answers from a list and notes what it was asked."""

    def __init__(self, endings: Sequence[Ending]) -> None:
        self.endings = list(endings)
        self.requests: list[Mapping[str, Any]] = []

    def __call__(self, request: Mapping[str, Any], *, timeout: float) -> Outcome:
        self.requests.append(request)
        return Outcome(self.endings.pop(0), "SIGSEGV")


def test_this_library_works_here_and_that_is_remembered(tmp_path: Path) -> None:
    memory = Memory("probe", tmp_path)
    first = probe("here", gpu_offload=False, threads=1, memory=memory)
    assert first.use_extra_bufts in (True, False)
    asked = Script([])
    assert probe("here", gpu_offload=False, threads=1, memory=memory, run=asked) == first
    assert asked.requests == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("signal", ["SIGSEGV", "SIGILL", "SIGABRT"])
def test_a_library_that_dies_is_loaded_without_its_fast_kernels(
    tmp_path: Path, signal: str
) -> None:
    run = partial(run_child, command=child("request['use_extra_bufts']", signal))
    memory = Memory("probe", tmp_path)
    found = probe("amx", gpu_offload=False, threads=1, memory=memory, run=run)
    assert found.use_extra_bufts is False
    (note,) = found.notes
    assert signal in note
    assert "mmq.cpp:12" in note
    assert "\n" not in note
    # The next process knows, and says so again.
    assert probe("amx", gpu_offload=False, threads=1, memory=memory, run=Script([])) == found


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_library_that_always_dies_is_an_error_and_not_remembered(tmp_path: Path) -> None:
    memory = Memory("probe", tmp_path)
    run = partial(run_child, command=child("True"))
    with pytest.raises(LibraryError, match="does not work on this machine") as caught:
        probe("dead", gpu_offload=False, threads=1, memory=memory, run=run)
    assert caught.value.found is not None
    assert "SIGSEGV" in caught.value.found
    assert caught.value.hint is not None
    assert memory.get("dead") is None


def test_a_card_that_crashes_is_left_alone(tmp_path: Path) -> None:
    run = Script([Ending.OK, Ending.CRASHED])
    found = probe("gpu", gpu_offload=True, threads=1, memory=Memory("p", tmp_path), run=run)
    assert found == Probe(True, False, found.notes)
    assert "GPU" in found.notes[0]
    assert [r["gpu_layers"] for r in run.requests] == [0, -1]


def test_a_card_is_tried_with_what_works_on_the_processor(tmp_path: Path) -> None:
    run = Script([Ending.CRASHED, Ending.OK, Ending.OK])
    found = probe("both", gpu_offload=True, threads=1, memory=Memory("p", tmp_path), run=run)
    assert (found.use_extra_bufts, found.use_gpu, len(found.notes)) == (False, True, 1)
    assert [r["use_extra_bufts"] for r in run.requests] == [True, False, False]


@pytest.mark.parametrize(
    "damage",
    ["{", "[]", '{"id": 3}', '{"id": {"use_extra_bufts": 1, "use_gpu": true, "notes": []}}'],
)
def test_a_damaged_memory_is_probed_again(tmp_path: Path, damage: str) -> None:
    (tmp_path / "probe.json").write_text(damage, "utf-8")
    run = Script([Ending.OK])
    memory = Memory("probe", tmp_path)
    assert probe("id", gpu_offload=False, threads=1, memory=memory, run=run) == Probe()
    assert len(run.requests) == 1
    assert json.loads((tmp_path / "probe.json").read_text("utf-8"))["id"]["use_gpu"] is True


def test_another_library_or_processor_is_another_identity(tmp_path: Path) -> None:
    file = tmp_path / "libllama.so"
    file.write_bytes(b"one")
    names = {library_identity([file], "1", "cpu"), library_identity([file], "1", "other")}
    names.add(library_identity([file], "2", "cpu"))
    os.utime(file, (1, 1))
    names.add(library_identity([file], "1", "cpu"))
    file.write_bytes(b"longer")
    names.add(library_identity([file], "1", "cpu"))
    assert len(names) == 5


def test_the_probe_model_is_small_and_uses_the_formats_that_matter(tmp_path: Path) -> None:
    path = tmp_path / "probe.gguf"
    PROBE_MODEL.write(path)
    gguf = read_gguf(path)
    assert gguf.file_bytes < 1 << 20
    assert {"Q4_K", "Q5_K", "Q6_K", "Q8_0", "Q4_0"} <= {tensor.type.name for tensor in gguf.tensors}
