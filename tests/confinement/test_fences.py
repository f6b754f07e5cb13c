"""The fences as values, and what happens where one of them cannot stand."""

from __future__ import annotations

import platform
import re
import struct
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from qwq_gguf.confinement import Limits, child, run_confined
from qwq_gguf.confinement.fences import Fences, fences_for, landlock_rules, why_not
from qwq_gguf.confinement.syscalls import ALLOWED, ARCHITECTURES, filter_program
from qwq_gguf.errors import ToolError

ALLOW, EPERM, KILL = 0x7FFF0000, 0x00050001, 0x80000000
HERE = why_not(platform.system(), platform.machine(), child._landlock_version()) is None


def decide(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """What a kernel would make of a call: the filter's language is this small."""
    steps = list(struct.iter_unpack("<HBBI", program))
    whole = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    at = value = 0
    while True:
        code, then, otherwise, operand = steps[at]
        at += 1
        match code:
            case 0x20:
                (value,) = struct.unpack_from("<I", whole, operand)
            case 0x15:
                at += then if value == operand else otherwise
            case 0x35:
                at += then if value >= operand else otherwise
            case 0x06:
                return int(operand)


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_only_what_is_listed_is_allowed(machine: str) -> None:
    program, column = filter_program(machine), list(ARCHITECTURES).index(machine)
    architecture = ARCHITECTURES[machine]
    numbers = {pair[column]: name for name, pair in ALLOWED.items() if pair[column] is not None}
    for number in range(600):
        name = numbers.get(number)
        wanted = EPERM if name in (None, "ioctl", "fcntl") else ALLOW
        arguments = (0, 99, 0, 0) if name != "prlimit64" else (0, 0, 0, 1)
        assert decide(program, architecture, number, *arguments) == wanted, (number, name)


@pytest.mark.parametrize(
    ("name", "arguments", "wanted"),
    [
        ("fcntl", (1, 1, 0), ALLOW),
        ("fcntl", (1, 1030, 3), ALLOW),
        ("fcntl", (1, 8, 77), EPERM),
        ("fcntl", (1, 4, 0x2000), EPERM),
        ("ioctl", (1, 0x5401, 0), ALLOW),
        ("ioctl", (1, 0x5412, 0), EPERM),
        ("prlimit64", (0, 7, 0, 1), ALLOW),
        ("prlimit64", (0, 7, 1, 0), EPERM),
        ("prlimit64", (0, 7, 1 << 32, 0), EPERM),
        ("prlimit64", (1, 7, 0, 1), EPERM),
    ],
)
@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_some_calls_are_allowed_in_part(
    machine: str, name: str, arguments: tuple[int, ...], wanted: int
) -> None:
    number = ALLOWED[name][list(ARCHITECTURES).index(machine)]
    assert number is not None
    assert decide(filter_program(machine), ARCHITECTURES[machine], number, *arguments) == wanted


def test_other_tables_of_calls_are_death() -> None:
    assert decide(filter_program("x86_64"), 0x40000003, 3) == KILL  # i386
    assert decide(filter_program("x86_64"), ARCHITECTURES["x86_64"], 0x40000000) == KILL  # x32
    assert decide(filter_program("aarch64"), 0x40000028, 3) == KILL  # 32-bit ARM


@pytest.mark.parametrize(
    ("column", "header"),
    [
        (0, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        (1, "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_the_numbers_are_the_kernels(column: int, header: str) -> None:
    if not Path(header).exists():
        pytest.skip("the kernel's headers are not installed")
    found = re.findall(r"#define\s+__NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text())
    kernel = {name: int(number) for name, number in found}
    kernel.setdefault("newfstatat", kernel.get("fstatat", -1))
    for name, numbers in ALLOWED.items():
        assert kernel.get(name) == numbers[column], name


@pytest.mark.parametrize(
    ("version", "rules"),
    [
        (1, ((0x1FFF, 0, 0), 8)),
        (2, ((0x3FFF, 0, 0), 8)),
        (3, ((0x7FFF, 0, 0), 8)),
        (4, ((0x7FFF, 3, 0), 16)),
        (5, ((0xFFFF, 3, 0), 16)),
        (6, ((0xFFFF, 3, 3), 24)),
        (99, ((0xFFFF, 3, 3), 24)),
    ],
)
def test_a_kernel_is_asked_for_what_it_knows(
    version: int, rules: tuple[tuple[int, int, int], int]
) -> None:
    assert landlock_rules(version) == rules


@pytest.mark.parametrize(
    ("system", "machine", "landlock", "said"),
    [
        ("Darwin", "arm64", 0, "only for Linux"),
        ("Windows", "AMD64", 0, "only for Linux"),
        ("Linux", "riscv64", 7, "system calls of riscv64 are not known"),
        ("Linux", "x86_64", 0, "no Landlock"),
    ],
)
def test_where_none_can_be_confined_none_is_run(
    system: str, machine: str, landlock: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(child, "_landlock_version", lambda: landlock)
    with pytest.raises(ToolError, match="cannot be confined here, so none is run") as caught:
        run_confined("print(1)")
    assert said in str(caught.value.found)


ALL_ALLOWED = struct.pack("<HBBI", 0x06, 0, 0, ALLOW)


@pytest.mark.skipif(not HERE, reason="nothing can be confined here")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"program": bytes(8)}, "prctl"),
        ({"program": ALL_ALLOWED}, "in spite of the filter"),
        ({"landlock": (1 << 40, 0, 0)}, "landlock_create_ruleset"),
        ({"landlock": (0xFFF0, 3, 3)}, "landlock_add_rule"),
        ({"landlock": (0b1100, 0, 0), "landlock_bytes": 3}, "landlock_create_ruleset"),
    ],
)
def test_a_fence_that_does_not_stand_is_found_out(
    change: dict[str, object], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the child itself, before it runs anything."""

    def broken(machine: str, landlock: int, limits: Limits, *, namespaces: bool) -> Fences:
        fences = fences_for(machine, landlock, limits, namespaces=namespaces)
        return replace(fences, **change)  # type: ignore[arg-type]

    monkeypatch.setattr(child, "fences_for", broken)
    with pytest.raises(ToolError) as caught:
        run_confined("print('run')")
    assert said in str(caught.value.found)
    assert "run\n" not in str(caught.value.found)


def test_an_interpreter_that_does_not_start_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(child, "why_not", lambda *_: None)
    monkeypatch.setattr(child, "fences_for", lambda *_, **__: fences_for("x86_64", 1, Limits()))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ToolError) as caught:
        run_confined("print(1)")
    assert "its interpreter does not start" in str(caught.value.found)
