"""Honest texts of kinds that were written after the rules for short lines and for what is said in a
line had been fixed by those of `honest_traces.py`. Half of them have no line breaks.
"""

# ruff: noqa: E501 (texts are easier to read in one line)

from __future__ import annotations

from random import Random

from loop_corpus.honest_data import NAMES, WORDS

__all__ = ["LATER"]


def asan_trace(draw: Random) -> str:
    return "==417==ERROR: AddressSanitizer: stack-overflow on address 0x7ffd\n" + "\n".join(
        f"    #{i} 0x55d0c8{draw.choice(('4a1f', '4b02', '4b77'))} in {draw.choice(('grow(Tree*)', 'Tree::add(int)'))} /src/tree.cc:{draw.choice((33, 47, 58))}:7"
        for i in range(draw.randrange(25, 50))
    )


def template_errors(draw: Random) -> str:
    n = draw.randrange(25, 45)
    return "\n".join(
        f"fold.hpp:{draw.choice((12, 15))}:18:   required from 'struct {draw.choice(('fold', 'step'))}<{n - i}>'"
        for i in range(n)
    )


def lua_trace(draw: Random) -> str:
    return "stack overflow\nstack traceback:\n" + "\n".join(
        f"\t{draw.choice(('list.lua:14', 'list.lua:17', 'util.lua:3'))}: in {draw.choice(('upvalue', 'local', 'field'))} '{draw.choice(('map', 'each'))}'"
        for _ in range(draw.randrange(20, 50))
    )


def tap(draw: Random) -> str:
    return "TAP version 13\n" + "\n".join(
        f"ok {i} - {draw.choice(WORDS)} is {draw.choice(('equal', 'empty', 'sorted', 'kept'))}"
        for i in range(1, draw.randrange(30, 70))
    )


def subtitles(draw: Random) -> str:
    out, at = [], 0
    for i in range(1, draw.randrange(20, 40)):
        at += draw.randrange(2, 6)
        out.append(
            f"{i}\n00:{at // 60:02}:{at % 60:02},000 --> 00:{(at + 2) // 60:02}:{(at + 2) % 60:02},500\n- {draw.choice(('No.', 'Yes.', 'Come on.', 'What?', 'I said no.'))}"
        )
    return "\n\n".join(out)


def query_plan(draw: Random) -> str:
    return "\n".join(
        f"{'  ' * depth}->  {draw.choice(('Nested Loop', 'Hash Join', 'Seq Scan on ' + draw.choice(WORDS)))}  (cost={draw.randrange(900)}.00..{draw.randrange(900, 2000)}.00 rows={draw.randrange(100)} width=8)"
        for depth in range(draw.randrange(12, 25))
    )


def progress(draw: Random) -> str:
    total = draw.randrange(20, 40)
    return "\n".join(
        f"epoch {i:3}/{total} [{'=' * (20 * i // total)}{'.' * (20 - 20 * i // total)}] loss: {draw.uniform(0.1, 2):.4f}"
        for i in range(1, total + 1)
    )


def histogram(draw: Random) -> str:
    return "\n".join(
        f"{i * 10:3}-{i * 10 + 9:<3} {'#' * draw.randrange(1, 50)}"
        for i in range(draw.randrange(10, 20))
    )


def binary_sum(draw: Random) -> str:
    a, b = draw.randrange(1 << 16), draw.randrange(1 << 16)
    carry, said = 0, [f"Add {a:b} and {b:b} in binary."]
    for bit in range(17):
        x, y = a >> bit & 1, b >> bit & 1
        total = x + y + carry
        said.append(
            f"Place {bit}: {x}+{y} and carry {carry} make {total}, so write {total % 2} and carry {total // 2}."
        )
        carry = total // 2
    return " ".join([*said, f"So it is {a + b:b}."])


def knights(draw: Random) -> str:
    names = draw.sample(NAMES, 4)
    said = []
    for n in range(draw.randrange(10, 16)):
        roles = ", ".join(
            f"{name} a {'knight' if n >> i & 1 else 'knave'}" for i, name in enumerate(names)
        )
        a, b = draw.sample(names, 2)
        said.append(f"Suppose we have {roles}. Then {a} would not say that of {b}, so no.")
    return " ".join(said)


def table_in_a_line(draw: Random) -> str:
    rows = (
        f'<tr><td class="n">{i}</td><td>{draw.choice(WORDS)}</td><td class="n">{draw.randrange(1000)}</td></tr>'
        for i in range(1, draw.randrange(15, 30))
    )
    return f"<table>{''.join(rows)}</table>"


def edges(draw: Random) -> str:
    nodes = "ABCDEFG"[: draw.randrange(4, 8)]
    return "Edges: " + ", ".join(
        f"({draw.choice(nodes)}, {draw.choice(nodes)})" for _ in range(draw.randrange(60, 110))
    )


def pgn(draw: Random) -> str:
    pieces = ("N", "B", "R", "Q", "K", "")
    return " ".join(
        f"{i}. {draw.choice(pieces)}{draw.choice('abcdefgh')}{draw.randrange(1, 9)} {draw.choice(pieces)}{draw.choice('abcdefgh')}{draw.randrange(1, 9)}"
        for i in range(1, draw.randrange(30, 70))
    )


def tuples(draw: Random) -> str:
    return f"data = [{', '.join(f'({i}, {draw.choice((True, False))}, {draw.choice((None, 0, 1))})' for i in range(draw.randrange(30, 60)))}]"


def carries(draw: Random) -> str:
    a, b = draw.randrange(10**11, 10**12), draw.randrange(10**11, 10**12)
    carry, said = 0, []
    for x, y in zip(reversed(str(a)), reversed(str(b)), strict=True):
        total = int(x) + int(y) + carry
        said.append(f"{x}+{y}+{carry}={total}, write {total % 10}, carry {total // 10}.")
        carry = total // 10
    return f"{a}+{b}: " + " ".join(said) + f" So {a + b}."


def seating(draw: Random) -> str:
    names = draw.sample(NAMES, 3)
    said = []
    for i in range(1, draw.randrange(14, 25)):
        draw.shuffle(names)
        said.append(
            f"Row {i} could be {names[0]}, {names[1]}, {names[2]}, but {names[draw.randrange(3)]} must not sit in row {draw.randrange(1, 9)}."
        )
    return "Wait, let me try. " + " ".join(said)


LATER = (
    asan_trace, template_errors, lua_trace, tap, subtitles, query_plan, progress, histogram,
    binary_sum, knights, table_in_a_line, edges, pgn, tuples, carries, seating,
)  # fmt: skip
