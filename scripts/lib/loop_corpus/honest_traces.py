"""What programs print of a recursion that never ends, and long lines that go on with the same kind
of thing: honest texts that the rules for rows and for lines were chosen by.
"""

# ruff: noqa: E501 (texts are easier to read in one line)

from __future__ import annotations

from random import Random

from loop_corpus.honest_data import WORDS

__all__ = ["TRACES"]


def java_trace(draw: Random) -> str:
    frames = [f"\tat org.{draw.choice(WORDS)}.Tree.visit(Tree.java:{n})" for n in (31, 34, 40)]
    frames.append(f"\tat org.{draw.choice(WORDS)}.Tree.accept(Tree.java:58)")
    picked = (draw.choice(frames) for _ in range(draw.randrange(30, 60)))
    return 'Exception in thread "main" java.lang.StackOverflowError\n' + "\n".join(picked)


def ruby_trace(draw: Random) -> str:
    file = f"/srv/{draw.choice(WORDS)}.rb"
    return "\n".join(
        f"{file}:{draw.choice((8, 9, 13))}:in `{draw.choice(('each', 'descend', 'block in descend'))}'"
        for _ in range(draw.randrange(30, 60))
    )


def gdb_trace(draw: Random) -> str:
    return "\n".join(
        f"#{i}  0x00005555555551{draw.choice(('69', '8b'))} in parse_{draw.choice(('expr', 'term'))} (p=0x7ffffff{draw.randrange(16**5):05x}) at parse.c:{draw.choice((41, 52))}"
        for i in range(draw.randrange(25, 50))
    )


def go_trace(draw: Random) -> str:
    return (
        "runtime: goroutine stack exceeds 1000000000-byte limit\n\ngoroutine 1 [running]:\n"
    ) + "\n".join(
        f"main.{name}(0xc0000{draw.randrange(16**3):03x})\n\t/home/me/main.go:{line} +0x{line:x}"
        for name, line in (
            draw.choice((("even", 9), ("odd", 16), ("odd", 18)))
            for _ in range(draw.randrange(20, 45))
        )
    )


def node_trace(draw: Random) -> str:
    file = draw.choice(WORDS)
    return "RangeError: Maximum call stack size exceeded\n" + "\n".join(
        f"    at {draw.choice(('Proxy.get', 'resolve', 'Object.resolve'))} (/app/src/{file}.js:{draw.choice(('12:9', '17:14', '23:5'))})"
        for _ in range(draw.randrange(25, 50))
    )


def rust_trace(draw: Random) -> str:
    lines = []
    for i in range(draw.randrange(15, 30)):
        f, n = draw.choice((("eval", 22), ("eval", 25), ("apply", 40)))
        lines.append(f"  {i:2}: calc::{f}\n             at ./src/main.rs:{n}:9")
    return "stack backtrace:\n" + "\n".join(lines)


def python_trace(draw: Random) -> str:
    def frame() -> str:
        name, line, code = draw.choice(
            (
                ("encode", 88, "return self.encode(value.parts)"),
                ("encode", 91, "return self.default(value)"),
                ("default", 104, "return self.encode(vars(value))"),
            )
        )
        return f'  File "/usr/lib/app/{module}.py", line {line}, in {name}\n    {code}'

    module = draw.choice(WORDS)
    frames = "\n".join(frame() for _ in range(draw.randrange(15, 40)))
    return f"Traceback (most recent call last):\n{frames}\nRecursionError: maximum recursion depth exceeded"


def sharp_trace(draw: Random) -> str:
    return "Stack overflow.\n" + "\n".join(
        f"   at App.{draw.choice(('Node.Equals(System.Object)', 'Node.GetHashCode()', 'Graph.Compare(App.Node, App.Node)'))}"
        for _ in range(draw.randrange(30, 60))
    )


def nested_calls(draw: Random) -> str:
    """What a program that traces itself prints."""
    lines: list[str] = []

    def fib(n: int, depth: int) -> int:
        lines.append(f"{'| ' * depth}fib({n}) called")
        value = n if n < 2 else fib(n - 1, depth + 1) + fib(n - 2, depth + 1)
        lines.append(f"{'| ' * depth}fib({n}) returns {value}")
        return value

    fib(draw.randrange(5, 7), 0)
    return "\n".join(lines)


def prime_search(draw: Random) -> str:
    n = draw.randrange(1000, 9000)
    said = [f"Is {n} a prime? Let me try all primes up to its root."]
    for p in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79):
        said.append(
            f"{n} = {p}*{n // p} + {n % p}, so {p} does {'' if n % p == 0 else 'not '}divide {n}."
        )
    return " ".join(said)


def steps_in_a_line(draw: Random) -> str:
    a, m = draw.randrange(2, 30), draw.randrange(31, 99)
    value, said = 1, []
    for i in range(1, draw.randrange(25, 45)):
        said.append(f"{a}^{i} = {a}*{value} = {a * value} which is {a * value % m} mod {m}.")
        value = a * value % m
    return f"Find the powers of {a} mod {m}. " + " ".join(said)


def csv_in_a_line(draw: Random) -> str:
    return ";".join(
        f"{draw.randrange(1, 13)}/{draw.randrange(1, 29)}/2024,{draw.choice(('open', 'shut'))},{draw.randrange(100)}.{draw.randrange(10)}"
        for _ in range(draw.randrange(40, 80))
    )


def polygon(draw: Random) -> str:
    return f"POLYGON (({', '.join(f'{draw.randrange(40)} {draw.randrange(40)}' for _ in range(draw.randrange(60, 120)))}))"


def hex_in_a_line(draw: Random) -> str:
    return " ".join(f"{draw.choice((0, 0, 0, 255, draw.randrange(256))):02x}" for _ in range(200))


def turns(draw: Random) -> str:
    return ", ".join(
        f"{draw.choice(('left', 'right'))} {draw.randrange(1, 4)}"
        for _ in range(draw.randrange(80, 160))
    )


def matrix_in_a_line(draw: Random) -> str:
    size = draw.randrange(8, 14)
    rows = ([int(draw.random() < 0.2) for _ in range(size)] for _ in range(size))
    return f"[{', '.join(map(str, rows))}]"


def objects_in_a_line(draw: Random) -> str:
    things = (
        f'{{"id": {i}, "type": "{draw.choice(WORDS)}", "x": {draw.randrange(50)}, "y": {draw.randrange(50)}, "on": {draw.choice(("true", "false"))}}}'
        for i in range(draw.randrange(15, 30))
    )
    return f'{{"things": [{", ".join(things)}]}}'


def truth_in_words(draw: Random) -> str:
    said = []
    for n in range(draw.randrange(12, 17)):
        a, b, c, d = (bool(n >> i & 1) for i in range(4))
        said.append(
            f"If p is {a}, q is {b}, r is {c} and s is {d}, then p and q is {a and b}, r or s is {c or d}, so the formula is {(a and b) or (c or d)}."
        )
    return " ".join(said)


TRACES = (
    java_trace, ruby_trace, gdb_trace, go_trace, node_trace, rust_trace, python_trace, sharp_trace,
    nested_calls, prime_search, steps_in_a_line, csv_in_a_line, polygon, hex_in_a_line, turns,
    matrix_in_a_line, objects_in_a_line, truth_in_words,
)  # fmt: skip
