"""Honest texts of kinds that were written after the settings were changed for those of
`honest_unseen.py`, and tried only once they were fixed again. Half of them have no line breaks.
"""

# ruff: noqa: E501 (texts are easier to read in one line)

from __future__ import annotations

import itertools
import json
from random import Random

from loop_corpus.honest_data import NAMES, WORDS
from loop_corpus.honest_numbers import numeral

__all__ = ["FRESH"]


def insertion_sort(draw: Random) -> str:
    row = draw.sample(range(100), draw.randrange(7, 11))
    out = [f"Insertion sort of {row}."]
    for i in range(1, len(row)):
        j = i
        while j and row[j - 1] > row[j]:
            row[j - 1], row[j] = row[j], row[j - 1]
            out.append(f"Shift {row[j]} right: {row}")
            j -= 1
        out.append(f"{row[j]} is in place after {i} rounds: {row}")
    return "\n".join(out)


def pagerank(draw: Random) -> str:
    rank, out = [0.25] * 4, []
    links = [draw.sample([k for k in range(4) if k != i], 2) for i in range(4)]
    for step in range(draw.randrange(10, 18)):
        out.append(
            f"iteration {step}: "
            + ", ".join(f"{n}={r:.4f}" for n, r in zip("ABCD", rank, strict=True))
        )
        rank = [
            0.0375 + 0.85 * sum(rank[i] / 2 for i in range(4) if j in links[i]) for j in range(4)
        ]
    return "\n".join(out)


def piano_roll(draw: Random) -> str:
    bars = [
        " ".join(draw.choice(("C4", "E4", "G4", "A4", "--")) for _ in range(8)) for _ in range(3)
    ]
    return "\n".join(
        f"bar {i:2}: | {draw.choice(bars)} |" for i in range(1, draw.randrange(13, 25))
    )


def knitting(draw: Random) -> str:
    pattern = [
        f"*K{draw.randrange(1, 5)}, P{draw.randrange(1, 5)}; rep from * to end." for _ in range(2)
    ]
    return "\n".join(f"Row {i}: {pattern[i % 2]}" for i in range(1, draw.randrange(16, 30)))


def rosary(draw: Random) -> str:
    said = f"Hail, {draw.choice(NAMES)}, full of grace, pray for us now and in the hour of need. "
    mysteries = ("joy", "light", "sorrow", "glory")
    return "\n\n".join(
        f"The mystery of {m}:\n" + said.strip() + "\n" + f"({n} times)"
        for n, m in enumerate(mysteries, 3)
    )


def one_line_json(draw: Random) -> str:
    rows = [
        {
            "id": i,
            "name": draw.choice(NAMES),
            "score": draw.randrange(100),
            "tags": draw.sample(WORDS, 2),
        }
        for i in range(draw.randrange(15, 40))
    ]
    return json.dumps(rows)


def one_line_matrix(draw: Random) -> str:
    n = draw.randrange(6, 9)
    return str([[draw.randrange(-9, 10) for _ in range(n)] for _ in range(n)])


def long_sum(draw: Random) -> str:
    numbers = [draw.randrange(10, 1000) for _ in range(draw.randrange(25, 60))]
    total, said = 0, []
    for number in numbers:
        said.append(f"{total} + {number} = {total + number}")
        total += number
    return "So we add them one after another: " + ", then ".join(said) + f". The sum is {total}."


def factor_search(draw: Random) -> str:
    n = draw.choice((2021, 3599, 4087, 5183, 6557))
    said = []
    for d in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73):
        if d * d > n or n % d == 0:
            said.append(f"{n} divided by {d} is {n // d} exactly, so there it is.")
            break
        said.append(f"{n} divided by {d} is {n // d} with {n % d} left over, so {d} is no factor.")
    return "Let me look for a factor. " + " ".join(said)


def collatz_line(draw: Random) -> str:
    n = draw.randrange(20, 100)
    said: list[str] = []
    while n != 1 and len(said) < 60:
        then = n // 2 if n % 2 == 0 else 3 * n + 1
        said.append(f"{n} is {'even' if n % 2 == 0 else 'odd'}, so we get {then}")
        n = then
    return "; ".join(said) + "."


def alphabet_thought(draw: Random) -> str:
    word = "".join(draw.choice("abcdefgilmnoprstu") for _ in range(draw.randrange(14, 30)))
    letter = draw.choice(word)
    count, said = 0, []
    for at, c in enumerate(word, 1):
        count += c == letter
        said.append(
            f"Letter {at} is {c}, {'so that makes ' + str(count) if c == letter else 'no'}."
        )
    return f"How many {letter}'s are in {word}? " + " ".join(said)


def dna(draw: Random) -> str:
    return "".join(draw.choice("ACGT") for _ in range(draw.randrange(300, 900)))


def bits(draw: Random) -> str:
    return " ".join(f"{draw.randrange(256):08b}" for _ in range(draw.randrange(40, 90)))


def base64_line(draw: Random) -> str:
    import base64

    return base64.b64encode(draw.randbytes(draw.randrange(300, 900))).decode()


def rle(draw: Random) -> str:
    return (
        "".join(
            f"{draw.randrange(1, 9)}{draw.choice('bo')}{draw.choice(('', '', '$'))}"
            for _ in range(draw.randrange(120, 250))
        )
        + "!"
    )


def fen_line(draw: Random) -> str:
    pieces = "pnbrqkPNBRQK12345678"
    return " ".join(
        "/".join(
            "".join(draw.choice(pieces) for _ in range(draw.randrange(2, 6))) for _ in range(8)
        )
        + f" w KQkq - 0 {n}"
        for n in range(1, 12)
    )


def genesis(draw: Random) -> str:
    line, said = draw.sample(NAMES, len(NAMES))[:14], []
    for a, b in itertools.pairwise(line):
        years = draw.randrange(60, 190)
        said.append(
            f"And {a} lived {years} years, and begat {b}: and {a} lived after he begat {b} {draw.randrange(400, 900)} years, and begat sons and daughters."
        )
    return " ".join(said)


def toasts(draw: Random) -> str:
    return " ".join(
        f"To {w}, who brought the {t}!"
        for w, t in (
            (draw.choice(NAMES), draw.choice(WORDS)) for _ in range(draw.randrange(25, 45))
        )
    )


def css_keyframes(draw: Random) -> str:
    return (
        "@keyframes k { "
        + " ".join(
            f"{p}% {{ transform: translate({draw.randrange(99)}px, {draw.randrange(99)}px) rotate({draw.randrange(360)}deg); opacity: {draw.random():.2f}; }}"
            for p in range(0, 101, 4)
        )
        + " }"
    )


def svg_path(draw: Random) -> str:
    return (
        '<path d="M 0 0 '
        + " ".join(
            f"{draw.choice('LQCT')} {draw.randrange(500)} {draw.randrange(500)}"
            for _ in range(draw.randrange(60, 120))
        )
        + ' z"/>'
    )


def sql_values(draw: Random) -> str:
    return (
        "INSERT INTO orders (id, item, amount, paid) VALUES "
        + ", ".join(
            f"({i}, '{draw.choice(WORDS)}', {draw.randrange(1, 20)}, {draw.choice(('TRUE', 'FALSE'))})"
            for i in range(1, draw.randrange(30, 60))
        )
        + ";"
    )


def truth_line(draw: Random) -> str:
    said = []
    for n in range(16):
        a, b, c, d = (bool(n >> k & 1) for k in range(4))
        said.append(
            f"if A is {a}, B is {b}, C is {c} and D is {d}, then it is {(a or b) and (c or d)}"
        )
    draw.shuffle(said)
    return "Go through all cases: " + "; ".join(said) + "."


def doubting(draw: Random) -> str:
    a, b = draw.randrange(100, 1000), draw.randrange(100, 1000)
    tens, ones = b // 10 * 10, b % 10
    return (
        f"I need {a} times {b}. First {a} times {tens} is {a * tens}. Then {a} times {ones} is {a * ones}. Together that is {a * b}. "
        f"Wait, let me check that. {a} times {b} is {b} times {a}. {b} times {a // 100 * 100} is {b * (a // 100 * 100)}, and {b} times {a % 100} is {b * (a % 100)}. "
        f"Together that is {b * a}. That is the same. Wait, is {a * tens} + {a * ones} really {a * b}? Yes, {a * tens} + {a * ones} = {a * b}. "
        f"Hmm, let me check the size: {a // 100 * 100} times {b // 100 * 100} is {(a // 100) * (b // 100) * 10000}, so {a * b} is plausible. Alternatively, modulo 9: {a} is {a % 9}, {b} is {b % 9}, the product is {a % 9 * (b % 9) % 9}, and {a * b} is {a * b % 9}. Good. So the answer is {a * b}."
    )


def schedule_thought(draw: Random) -> str:
    people = draw.sample(NAMES, 5)
    said = []
    for p in people:
        for day in ("Monday", "Tuesday", "Wednesday", "Thursday"):
            said.append(
                f"Can {p} come on {day}? {draw.choice(('Yes, that works.', 'No, there is class until ' + str(draw.randrange(2, 8)) + '.', 'Only after ' + str(draw.randrange(2, 8)) + '.'))}"
            )
    return " ".join(said)


def change_cases(draw: Random) -> str:
    total, said = draw.randrange(26, 41), []
    for quarters in range(total // 25 + 1):
        for dimes in range((total - 25 * quarters) // 10 + 1):
            rest = total - 25 * quarters - 10 * dimes
            said.append(
                f"{quarters} quarters and {dimes} dimes leave {rest} cents, which is {rest // 5 + 1} ways with nickels."
            )
    return f"In how many ways can one pay {total} cents? " + " ".join(said)


def ladder(draw: Random) -> str:
    return "\n".join(
        f"|{'=' * 6}|" if i % 2 else f"|{' ' * 6}|" for i in range(draw.randrange(20, 40))
    )


def stack_trace(draw: Random) -> str:
    n = draw.randrange(20, 45)
    return (
        "Traceback (most recent call last):\n"
        + "\n".join(
            f'  File "tree.py", line {draw.choice((12, 12, 14, 19))}, in walk\n    walk(node.{draw.choice(("left", "right"))}, depth + 1)'
            for _ in range(n)
        )
        + "\nRecursionError: maximum recursion depth exceeded"
    )


def ping(draw: Random) -> str:
    return "\n".join(
        f"64 bytes from 192.168.0.{draw.randrange(2, 5)}: icmp_seq={i} ttl=64 time={draw.uniform(0.2, 3):.2f} ms"
        for i in range(1, draw.randrange(25, 50))
    )


def diff(draw: Random) -> str:
    out = []
    for i in range(draw.randrange(8, 16)):
        w = draw.choice(WORDS)
        out += [
            f"@@ -{i * 17},3 +{i * 17},3 @@",
            f" def {w}(x):",
            f"-    return x * {i}",
            f"+    return x * {i + 1}",
        ]
    return "\n".join(out)


def counted_song(draw: Random) -> str:
    thing = draw.choice(WORDS)
    return "\n\n".join(
        f"{numeral(i).title()} little {thing}s sat upon the wall,\n{numeral(i)} little {thing}s, and one did fall;\nthen there were {numeral(i - 1)} left of all."
        for i in range(draw.randrange(9, 13), 1, -1)
    )


FRESH = (
    insertion_sort, pagerank, piano_roll, knitting, rosary, one_line_json, one_line_matrix, long_sum,
    factor_search, collatz_line, alphabet_thought, dna, bits, base64_line, rle, fen_line, genesis,
    toasts, css_keyframes, svg_path, sql_values, truth_line, doubting, schedule_thought,
    change_cases, ladder, stack_trace, ping, diff, counted_song,
)  # fmt: skip
