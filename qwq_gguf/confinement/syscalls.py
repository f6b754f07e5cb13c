"""The system calls that a confined interpreter may make, and the filter that refuses the rest.

A list of what is allowed, as what is not known yet should be refused: there is no socket in it, no
process, no program to start, no signal to send, no tracing, no mount, nothing that names,
makes or changes a file but opening one, which Landlock has to allow as well.

Numbers: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h; the layout
of the filter: include/uapi/linux/filter.h, seccomp.h and audit.h of the kernel.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

__all__ = ["ALLOWED", "ARCHITECTURES", "filter_program"]

# AUDIT_ARCH_*; of x86-64 the numbers from X32_BIT on are another table, and refused.
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000

# Name: its number on x86-64 and on aarch64, None where there is none.
ALLOWED: dict[str, tuple[int | None, int | None]] = {
    # what is open: the pipe to the parent, and Python's own files
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "pread64": (17, 67),
    "lseek": (8, 62),
    "close": (3, 57),
    "dup": (32, 23),
    "fstat": (5, 80),
    "getdents64": (217, 61),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    # looking for modules
    "open": (2, None),
    "openat": (257, 56),
    "stat": (4, None),
    "lstat": (6, None),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getcwd": (79, 17),
    # memory
    "brk": (12, 214),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    # time and chance
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "getrusage": (98, 165),
    "getrandom": (318, 278),
    # the interpreter itself
    "futex": (202, 98),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "gettid": (186, 178),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getrlimit": (97, 163),
    "exit": (60, 93),
    "exit_group": (231, 94),
    # with some arguments only, see below
    "fcntl": (72, 25),
    "ioctl": (16, 29),
    "prlimit64": (302, 261),
}
# A word of an argument, and the values it may have; all conditions of a call have to hold.
# fcntl could have a signal sent to another process (F_SETOWN), ioctl could type into a terminal,
# prlimit64 could change the limits.
_CONDITIONS: dict[str, tuple[tuple[int, tuple[int, ...]], ...]] = {
    "fcntl": ((2, (0, 1, 2, 3, 1030)),),  # duplicate, close-on-exec, what it was opened with
    "ioctl": ((2, (0x5401, 0x5413, 0x5450, 0x5451)),),  # is it a terminal, its size, close-on-exec
    "prlimit64": ((0, (0,)), (4, (0,)), (5, (0,))),  # its own, and read only
}
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # places in struct seccomp_data
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _EPERM, _KILL = 0x7FFF0000, 0x00050001, 0x80000000


def filter_program(machine: str) -> bytes:
    """The filter as struct sock_filter[], for prctl(PR_SET_SECCOMP); KeyError for a machine whose
    numbers are not known. Refused calls fail with EPERM, another table of calls is death.
    """
    column = list(ARCHITECTURES).index(machine)
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_IF_EQUAL, ARCHITECTURES[machine], then=1),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        steps += [_step(_IF_AT_LEAST, _X32_BIT, otherwise=1), _step(_RETURN, _KILL)]
    for name, numbers in ALLOWED.items():
        number = numbers[column]
        if number is not None:
            allowed = _allowed(_CONDITIONS.get(name, ()))
            steps += [_step(_IF_EQUAL, number, otherwise=len(allowed)), *allowed]
    return b"".join([*steps, _step(_RETURN, _EPERM)])


def _allowed(conditions: Sequence[tuple[int, tuple[int, ...]]]) -> list[bytes]:
    """Steps that end in a yes or a no, once the call is known."""
    steps: list[bytes] = []
    for word, values in conditions:
        steps.append(_step(_LOAD, _ARGUMENTS + 4 * word))
        for left in range(len(values), 0, -1):
            steps.append(_step(_IF_EQUAL, values[-left], then=left))
        steps.append(_step(_RETURN, _EPERM))
    return [*steps, _step(_RETURN, _ALLOW)]


def _step(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("<HBBI", code, then, otherwise, value)
