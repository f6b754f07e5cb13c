"""Limits of containers and services, in the files of both versions as kernels write them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import qwq_gguf
from qwq_gguf.machine import available_memory, physical_cores, usable_processors
from qwq_gguf.machine.cgroup import groups

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and /sys")

MIB = 1 << 20

# A service below a slice, version 2 alone (systemd 252, Linux 6.1).
UNIFIED = {
    "proc/self/cgroup": "0::/user.slice/user-1000.slice/run-u7.service\n",
    "proc/self/mountinfo": (
        "24 31 0:22 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw\n"
        "35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 "
        "rw,nsdelegate,memory_recursiveprot\n"
    ),
}
# A container that sees its own group as the root (Docker's default with version 2).
CONTAINER = {
    "proc/self/cgroup": "0::/\n",
    "proc/self/mountinfo": (
        "712 711 0:30 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw\n"
    ),
}
# Version 1 below a launcher of its own, version 2 beside it and empty.
NESTED = {
    "proc/self/cgroup": (
        "9:name=systemd:/\n8:pids:/\n4:memory:/process_api/7ec7\n3:cpuset:/\n"
        "2:cpuacct:/\n1:cpu:/process_api/7ec7\n0::/\n"
    ),
    "proc/self/mountinfo": (
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
    ),
}
# Docker with version 1: paths are the host's, mounts show the container's part of them.
DOCKER = {
    "proc/self/cgroup": (
        "5:memory:/docker/0123\n4:cpu,cpuacct:/docker/0123\n1:name=systemd:/docker/0123\n"
    ),
    "proc/self/mountinfo": (
        "780 770 0:29 /docker/0123 /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory\n"
        "781 770 0:30 /docker/0123 /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
    ),
}
MEMINFO = {"proc/meminfo": "MemTotal: 64000000 kB\nMemAvailable: 60000000 kB\n"}
STAT = (
    "anon {anon}\nfile {file}\nkernel 1000\nshmem 0\ninactive_anon {anon}\nactive_anon 0\n"
    "inactive_file {inactive}\nactive_file {active}\nunevictable 0\nslab_reclaimable {slab}\n"
    "slab_unreclaimable 7\nworkingset_refault_anon 0\n"
)
STAT1 = (
    "cache {file}\nrss {anon}\ninactive_file 1\nactive_file 1\n"
    "hierarchical_memory_limit 1073741824\ntotal_cache {file}\n"
    "total_inactive_file {inactive}\ntotal_active_file {active}\ntotal_unevictable 0\n"
)


def write(root: Path, *several: dict[str, str]) -> Path:
    for files in several:
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return root


def memory2(folder: str, limit: str, anon: int, inactive: int, active: int = 0) -> dict[str, str]:
    file = inactive + active
    stat = STAT.format(
        anon=anon * MIB, file=file * MIB, inactive=inactive * MIB, active=active * MIB, slab=0
    )
    return {
        f"sys/fs/cgroup{folder}/memory.max": f"{limit}\n",
        f"sys/fs/cgroup{folder}/memory.high": "max\n",
        f"sys/fs/cgroup{folder}/memory.current": f"{(anon + file) * MIB}\n",
        f"sys/fs/cgroup{folder}/memory.stat": stat,
    }


def memory1(folder: str, limit: int, anon: int, inactive: int, active: int = 0) -> dict[str, str]:
    file = inactive + active
    stat = STAT1.format(
        anon=anon * MIB, file=file * MIB, inactive=inactive * MIB, active=active * MIB
    )
    return {
        f"sys/fs/cgroup/memory{folder}/memory.limit_in_bytes": f"{limit}\n",
        f"sys/fs/cgroup/memory{folder}/memory.usage_in_bytes": f"{(anon + file) * MIB}\n",
        f"sys/fs/cgroup/memory{folder}/memory.stat": stat,
    }


def test_the_page_cache_gives_way(tmp_path: Path) -> None:
    """A gigabyte with 900 MiB of files that were read: not full, nearly empty."""
    write(tmp_path, CONTAINER, MEMINFO, memory2("", str(1024 * MIB), anon=100, inactive=900))
    assert available_memory(tmp_path) == 924 * MIB
    write(tmp_path, memory2("", str(1024 * MIB), anon=100, inactive=300, active=600))
    assert available_memory(tmp_path) == 924 * MIB, "files that were read twice, too"
    write(tmp_path, memory2("", str(1024 * MIB), anon=1000, inactive=0))
    assert available_memory(tmp_path) == 24 * MIB, "what programs have does not"


def test_the_least_of_all_groups_above_counts(tmp_path: Path) -> None:
    top, middle = "/user.slice", "/user.slice/user-1000.slice"
    inner = f"{middle}/run-u7.service"
    write(
        tmp_path,
        UNIFIED,
        MEMINFO,
        memory2(top, "max", anon=9000, inactive=0),
        memory2(middle, str(2048 * MIB), anon=1800, inactive=200),
        memory2(inner, str(1024 * MIB), anon=100, inactive=0),
    )
    assert available_memory(tmp_path) == 248 * MIB
    write(tmp_path, {f"sys/fs/cgroup{inner}/memory.high": f"{200 * MIB}\n"})
    assert available_memory(tmp_path) == 100 * MIB, "above that it is slowed down to a halt"


@pytest.mark.parametrize("files", [NESTED, DOCKER], ids=["nested", "docker"])
def test_version_1(files: dict[str, str], tmp_path: Path) -> None:
    folder = "/process_api/7ec7" if files is NESTED else ""
    none = 9223372036854771712
    write(tmp_path, files, MEMINFO, memory1("", none, anon=5000, inactive=0))
    assert available_memory(tmp_path) == 60000000 * 1024
    write(tmp_path, memory1(folder, 1024 * MIB, anon=100, inactive=700, active=200))
    assert available_memory(tmp_path) == 924 * MIB


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight processors that the process may run on."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))


@pytest.mark.usefixtures("eight")
@pytest.mark.parametrize(
    ("layout", "quota", "expected"),
    [
        (CONTAINER, {"sys/fs/cgroup/cpu.max": "250000 100000\n"}, 3),
        (CONTAINER, {"sys/fs/cgroup/cpu.max": "max 100000\n"}, 8),
        (UNIFIED, {"sys/fs/cgroup/user.slice/cpu.max": "200000 100000\n"}, 2),
        (
            UNIFIED,
            {
                "sys/fs/cgroup/user.slice/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/user.slice/user-1000.slice/cpu.max": "max 100000\n",
                "sys/fs/cgroup/user.slice/user-1000.slice/run-u7.service/cpu.max": "9000 9000\n",
            },
            1,
        ),
        (
            NESTED,
            {
                "sys/fs/cgroup/cpu/process_api/cpu.cfs_quota_us": "150000\n",
                "sys/fs/cgroup/cpu/process_api/cpu.cfs_period_us": "50000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        (
            DOCKER,
            {
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "400000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        ({}, {"sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1),
        ({}, {}, 8),
    ],
)
def test_the_quota_of_every_group_counts(
    layout: dict[str, str], quota: dict[str, str], expected: int, tmp_path: Path
) -> None:
    write(tmp_path, layout, quota)
    assert usable_processors(tmp_path) == expected
    assert physical_cores(tmp_path) == expected


def test_what_makes_no_sense_is_no_limit(tmp_path: Path) -> None:
    junk = {
        "proc/self/cgroup": "0::/../../etc\n5:memory:\nnonsense\n:::\n",
        "proc/self/mountinfo": "1 2\n35 24 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n - - -\n",
        "sys/fs/cgroup/memory.max": "many\n",
        "sys/fs/cgroup/memory.stat": "inactive_file\nx y z\n",
        "sys/fs/cgroup/cpu.max": "1 0\n",
    }
    write(tmp_path, junk, MEMINFO)
    assert available_memory(tmp_path) == 60000000 * 1024
    assert usable_processors(tmp_path) >= 1
    for group in groups(tmp_path, "memory"):
        assert group.folder.is_relative_to(tmp_path / "sys/fs/cgroup")


def test_a_mount_with_a_blank_in_its_name(tmp_path: Path) -> None:
    layout = {
        "proc/self/cgroup": "0::/a b\n",
        "proc/self/mountinfo": "35 24 0:30 / /my\\040groups rw - cgroup2 cgroup2 rw\n",
        "my groups/a b/cpu.max": "100000 100000\n",
    }
    write(tmp_path, layout)
    assert usable_processors(tmp_path) == 1


def test_this_machine() -> None:
    assert 1 <= usable_processors() <= (os.cpu_count() or 1)
    memory = available_memory()
    assert memory is None or memory > 0


def test_nobody_counts_the_machines_processors_for_himself() -> None:
    """Threads beyond affinity and quota only wait."""
    package = Path(qwq_gguf.__file__).parent
    counting = [p for p in package.rglob("*.py") if "cpu_count(" in p.read_text("utf-8")]
    assert [path.name for path in counting] == ["cores.py"]
