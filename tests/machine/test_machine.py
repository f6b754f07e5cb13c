from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from qwq_gguf.machine import (
    available_memory,
    cpu_identity,
    find_cards,
    physical_cores,
    processor_name,
)
from qwq_gguf.machine.cards import Card

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and /sys")


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def siblings(root: Path, groups: list[str]) -> None:
    for cpu, group in enumerate(groups):
        write(root, f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", group + "\n")


@linux
@pytest.mark.parametrize(
    "groups, expected",
    [
        (["0", "1", "2", "3"], 4),
        (["0,2", "1,3", "0,2", "1,3"], 2),
        (["0-3", "0-3", "0-3", "0-3"], 1),
    ],
)
def test_threads_of_one_core_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: list[str], expected: int
) -> None:
    siblings(tmp_path, groups)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    assert physical_cores(tmp_path) == expected


@linux
def test_only_cores_the_process_may_run_on_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    siblings(tmp_path, ["0,2", "1,3", "0,2", "1,3"])
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2})
    assert physical_cores(tmp_path) == 1


@linux
@pytest.mark.parametrize(
    "files, expected",
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 4),
        ({"cpu.max": "nonsense\n"}, 4),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
    ],
)
def test_a_container_quota_is_respected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: int
) -> None:
    siblings(tmp_path, ["0", "1", "2", "3"])
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    for name, text in files.items():
        write(tmp_path, f"sys/fs/cgroup/{name}", text)
    assert physical_cores(tmp_path) == expected


@linux
def test_without_topology_every_logical_processor_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 5})
    assert physical_cores(tmp_path) == 3


def test_this_machine_has_at_least_one_core() -> None:
    assert 1 <= physical_cores() <= (os.cpu_count() or 1)


def test_the_processor_is_told_apart_by_what_it_announces(tmp_path: Path) -> None:
    block = "processor\t: 0\nmodel name\t: Fast CPU\ncpu MHz\t: {mhz}\nflags\t: {flags}\n\n"
    names = []
    for mhz, flags in [("1000", "avx2 amx_tile"), ("2000", "avx2 amx_tile"), ("1000", "avx2")]:
        write(tmp_path, "proc/cpuinfo", block.format(mhz=mhz, flags=flags))
        names.append(cpu_identity(tmp_path))
    assert names[0] == names[1]
    assert names[0] != names[2]


@linux
def test_memory_is_what_is_available_within_the_container(tmp_path: Path) -> None:
    assert available_memory(tmp_path) is None
    write(tmp_path, "proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    4000 kB\n")
    assert available_memory(tmp_path) == 4000 * 1024
    write(tmp_path, "sys/fs/cgroup/memory.max", "3000000\n")
    write(tmp_path, "sys/fs/cgroup/memory.current", "1000000\n")
    assert available_memory(tmp_path) == 2000000
    write(tmp_path, "sys/fs/cgroup/memory.max", "max\n")
    assert available_memory(tmp_path) == 4000 * 1024


@linux
def test_cards_are_found_by_their_drivers(tmp_path: Path) -> None:
    assert find_cards(tmp_path) == ()
    write(
        tmp_path,
        "proc/driver/nvidia/gpus/0000:01:00.0/information",
        "Model: \t\t NVIDIA GeForce RTX 4090\nIRQ:   \t\t 100\n",
    )
    nodes = "sys/class/kfd/kfd/topology/nodes"
    write(tmp_path, f"{nodes}/0/properties", "cpu_cores_count 16\nsimd_count 0\n")
    write(tmp_path, f"{nodes}/1/properties", "cpu_cores_count 0\nsimd_count 192\n")
    assert find_cards(tmp_path) == (
        Card("NVIDIA", "NVIDIA GeForce RTX 4090", "CUDA"),
        Card("AMD", "AMD GPU", "HIP"),
    )


@linux
@pytest.mark.parametrize("sign", ["dev/nvidia0", "usr/lib/wsl/lib/nvidia-smi"])
def test_a_card_without_the_driver_folder_is_still_seen(tmp_path: Path, sign: str) -> None:
    write(tmp_path, sign, "")
    assert [card.build for card in find_cards(tmp_path)] == ["CUDA"]


def test_a_processor_is_called_what_it_calls_itself(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A CPU: fast\n")
    assert processor_name(tmp_path) == "A CPU: fast"
