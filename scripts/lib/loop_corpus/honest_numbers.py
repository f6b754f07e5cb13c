"""Honest texts about numbers that look repetitive: what a person may well have asked for."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

__all__ = ["NUMBERS", "numeral"]

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["_", "_", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def numeral(n: int) -> str:
    """An English numeral below a thousand."""
    if n < 20:
        return _ONES[n]
    if n < 100:
        return _TENS[n // 10] + (f"-{_ONES[n % 10]}" if n % 10 else "")
    rest = f" and {numeral(n % 100)}" if n % 100 else ""
    return f"{_ONES[n // 100]} hundred{rest}"


def counting(draw: Random) -> str:
    start, step = draw.randrange(100), draw.choice((1, 1, 2, 3, 7, 25))
    mark = draw.choice((", ", "\n", " ", "... "))
    return mark.join(str(start + step * i) for i in range(draw.randrange(150, 400)))


def counting_in_words(draw: Random) -> str:
    start = draw.randrange(1, 300)
    mark = draw.choice((", ", "\n"))
    return mark.join(numeral(start + i) for i in range(draw.randrange(100, 300)))


def countdown(draw: Random) -> str:
    n = draw.randrange(60, 150)
    word = draw.choice(("seconds to go", "sheep", "days left", "steps more"))
    return "\n".join(f"{i} {word}" for i in range(n, -1, -1))


def multiplication_table(draw: Random) -> str:
    form = draw.choice(("{a} x {b} = {c}", "{a} * {b} = {c}", "{a} times {b} is {c}."))
    first = draw.randrange(2, 15)
    return "\n\n".join(
        "\n".join(form.format(a=a, b=b, c=a * b) for b in range(1, 13))
        for a in range(first, first + draw.randrange(4, 9))
    )


def multiplication_grid(draw: Random) -> str:
    n = draw.randrange(10, 17)
    head = "| x | " + " | ".join(str(i) for i in range(1, n)) + " |"
    rule = "|" + "---|" * n
    rows = (f"| {a} | " + " | ".join(str(a * b) for b in range(1, n)) + " |" for a in range(1, n))
    return "\n".join((head, rule, *rows))


def fraction_digits(draw: Random) -> str:
    lines = ["Long decimal expansions:"]
    for _ in range(draw.randrange(3, 9)):
        d = draw.choice((7, 13, 17, 19, 21, 23, 27, 29, 37, 41, 101, 3, 11, 9))
        n = draw.randrange(1, d)
        digits = str(10**70 * n // d).zfill(70)[: draw.randrange(24, 66)]
        lines.append(f"{n}/{d} = 0.{digits}...")
    return "\n".join(lines)


def one_seventh(draw: Random) -> str:
    places = draw.choice((60, 90, 120, 150))
    d = draw.choice((7, 13, 37, 41))
    digits = str(10**places // d).zfill(places)
    return (
        f"1/{d} to {places} places is\n\n0.{digits}\n\nThe block repeats for ever, because the "
        "remainders of the long division come round again."
    )


def long_division(draw: Random) -> str:
    d = draw.choice((7, 13, 17, 19, 23, 29))
    out, rest = [f"Divide 1 by {d} by hand."], 1
    for step in range(draw.randrange(14, 30)):
        q, r = divmod(rest * 10, d)
        out.append(
            f"Step {step + 1}: bring down a zero: {rest * 10}. {d} goes {q} times into it "
            f"({d} * {q} = {d * q}), the remainder is {rest * 10} - {d * q} = {r}."
        )
        rest = r
    return "\n".join(out)


def pi_like_digits(draw: Random) -> str:
    n = draw.randrange(300, 900)
    digits = "".join(str(draw.randrange(10)) for _ in range(n))
    group = draw.choice((3, 5, 10))
    return " ".join(digits[i : i + group] for i in range(0, n, group))


def bits(draw: Random) -> str:
    width = draw.choice((4, 6, 8))
    return "\n".join(f"{i:3d} = {i:0{width}b}" for i in range(min(1 << width, 100)))


def primes(draw: Random) -> str:
    top = draw.randrange(300, 1200)
    found = [n for n in range(2, top) if all(n % d for d in range(2, int(n**0.5) + 1))]
    return f"The primes below {top} are " + ", ".join(map(str, found)) + "."


def sequence(draw: Random) -> str:
    a, b = draw.randrange(1, 9), draw.randrange(1, 9)
    out = []
    for n in range(1, draw.randrange(40, 70)):
        out.append(f"F({n}) = F({n - 1}) + F({n - 2}) = {b} + {a} = {a + b}")
        a, b = b, a + b
    return "\n".join(out)


def powers(draw: Random) -> str:
    base = draw.choice((2, 3, 5, 7))
    return "\n".join(f"{base}^{n} = {base**n}" for n in range(draw.randrange(40, 65)))


def squares(draw: Random) -> str:
    top = draw.randrange(40, 90)
    head = "| n | n squared | n cubed |\n|---|---|---|\n"
    return head + "\n".join(f"| {n} | {n * n} | {n**3} |" for n in range(1, top))


def collatz(draw: Random) -> str:
    n = draw.choice((27, 97, 171, 231, 313, 327, 703, 871))
    out = [f"Start with {n}."]
    while n != 1:
        m = 3 * n + 1 if n % 2 else n // 2
        rule = f"odd, so 3 * {n} + 1 = {m}" if n % 2 else f"even, so {n} / 2 = {m}"
        out.append(f"{n} is {rule}.")
        n = m
    return "\n".join(out)


def matrix(draw: Random) -> str:
    n = draw.randrange(8, 13)
    kind = draw.choice(("identity", "zero", "random", "hilbert"))
    value: dict[str, Callable[[int, int], object]] = {
        "identity": lambda i, j: int(i == j),
        "zero": lambda i, j: 0,
        "random": lambda i, j: draw.randrange(10),
        "hilbert": lambda i, j: f"1/{i + j + 1}",
    }
    n = 8 if kind == "zero" else n
    rows = ("  [" + ", ".join(str(value[kind](i, j)) for j in range(n)) + "]" for i in range(n))
    return f"The {kind} matrix of order {n}:\n[\n" + ",\n".join(rows) + "\n]"


def truth_table(draw: Random) -> str:
    names = "abcdef"[: draw.randrange(4, 7)]
    out = ["| " + " | ".join(names) + " | f |", "|" + "---|" * (len(names) + 1)]
    for i in range(1 << len(names)):
        row = [i >> k & 1 for k in reversed(range(len(names)))]
        value = row[0] ^ (row[1] & row[2]) ^ (row[-1] | row[0])
        out.append("| " + " | ".join("TF"[1 - b] for b in (*row, value)) + " |")
    return "\n".join(out)


def zeros_and_ones(draw: Random) -> str:
    n = draw.randrange(8, 14)
    return "\n".join("".join(str(int(draw.random() < 0.15)) for _ in range(24)) for _ in range(n))


def conversions(draw: Random) -> str:
    out = ["Celsius  Fahrenheit"]
    low = draw.randrange(-60, 0)
    out += [f"{c:7.1f}  {c * 9 / 5 + 32:10.1f}" for c in range(low, low + draw.randrange(40, 90))]
    return "\n".join(out)


def trial_division(draw: Random) -> str:
    n = draw.choice((1009, 2003, 3001, 4001, 5003, 1517, 2491, 4087))
    out = [f"Is {n} a prime? Let me try every prime up to its root."]
    d = 2
    while d * d <= n:
        if all(d % e for e in range(2, d)):
            q, r = divmod(n, d)
            out.append(
                f"Is {n} divisible by {d}? {d} * {q} = {d * q}, remainder {r}, so "
                + ("yes!" if r == 0 else "no.")
            )
            if r == 0:
                break
        d += 1
    return "\n".join(out)


def modular_cases(draw: Random) -> str:
    m = draw.randrange(13, 32)
    power = draw.choice((2, 3, 4))
    out = [f"Which remainders can n^{power} have modulo {m}? I go through all cases."]
    out += [
        f"If n = {k} mod {m}, then n^{power} = {k**power} = {k**power % m} mod {m}."
        for k in range(m)
    ]
    return "\n".join(out)


def euclid(draw: Random) -> str:
    out = []
    for _ in range(draw.randrange(6, 12)):
        a, b = draw.randrange(500, 9999), draw.randrange(50, 999)
        out.append(f"gcd({a}, {b}):")
        while b:
            out.append(f"  {a} = {a // b} * {b} + {a % b}")
            a, b = b, a % b
        out.append(f"  so the gcd is {a}.")
    return "\n".join(out)


NUMBERS = (
    counting, counting_in_words, countdown, multiplication_table, multiplication_grid,
    fraction_digits, one_seventh, long_division, pi_like_digits, bits, primes, sequence, powers,
    squares, collatz, matrix, truth_table, zeros_and_ones, conversions, trial_division,
    modular_cases, euclid,
)  # fmt: skip
