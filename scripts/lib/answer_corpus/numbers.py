"""Questions whose answer is a number: sums, fractions, percentages, units."""

from __future__ import annotations

import random
from fractions import Fraction

from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites import load_suite

__all__ = ["number_questions"]

_FORMS = ("", "", " Put the final answer in \\boxed{}.", " Give only the number.")


def _number(key: str, text: str, value: str, **more: str) -> Question:
    return Question(
        key=key, skill="number", text=text, grader="number", expected={"value": value, **more}
    )


def _fractions(rng: random.Random) -> list[Question]:
    made = []
    for at in range(16):
        a, b, c, d = (rng.randint(1, 9), rng.randint(2, 9), rng.randint(1, 9), rng.randint(2, 9))
        sign = rng.choice("+-*")
        one, two = Fraction(a, b), Fraction(c, d)
        value = {"+": one + two, "-": one - two, "*": one * two}[sign]
        form = rng.choice(
            ("What is {a}/{b} {s} {c}/{d}?", "Compute {a}/{b} {s} {c}/{d} as a fraction.")
        )
        text = form.format(a=a, b=b, c=c, d=d, s=sign) + rng.choice(_FORMS[:3])
        made.append(_number(f"fraction:{at}", text, str(value)))
    return made


def _percentages(rng: random.Random) -> list[Question]:
    made = []
    for at in range(16):
        share, base = rng.choice((5, 10, 15, 20, 25, 30, 40, 60, 75)), rng.randint(2, 40) * 20
        part = Fraction(share * base, 100)
        text, value = rng.choice(
            (
                (f"What is {share}% of {base}?", str(part)),
                (f"What percentage of {base} is {part}?", f"{share}%"),
                (f"A price of ${base} rises by {share}%. What is the new price?", str(base + part)),
                (f"Write {share}/100 as a percentage.", f"{share}%"),
                (f"A shirt for ${base} is {share}% off. What does it cost now, in dollars?",
                 str(base - part)),
            )
        )  # fmt: skip
        made.append(_number(f"percentage:{at}", text + rng.choice(_FORMS), value))
    return made


def _units(rng: random.Random) -> list[Question]:
    n = rng.randint
    h, m = n(1, 5), 5 * n(1, 11)
    v, t = 10 * n(4, 12), n(2, 6)
    rows = [
        (f"How many metres are {n(2, 9) * 1000} millimetres?", None, "m"),
        (f"Convert {k} kilometres to metres." if (k := n(3, 40)) else "", str(k * 1000), "m"),
        (f"How many minutes are {h} hours and {m} minutes?", str(60 * h + m), "minutes"),
        (f"A train goes {v} km/h for {t} hours. How far does it get?", str(v * t), "km"),
        (f"How many grams are {(g := n(2, 30))} kilograms?", str(1000 * g), "g"),
        (f"How many hours are {60 * (q := n(2, 30))} minutes?", str(q), "hours"),
        (f"A rectangle is {(a := n(3, 20))} cm by {(b := n(3, 20))} cm. What is its area?",
         str(a * b), "cm^2"),
        (f"A rectangle is {(a := n(3, 20))} m by {(b := n(3, 20))} m. What is its perimeter?",
         str(2 * (a + b)), "m"),
        (f"I drive {v * t} km in {t} hours. What is my average speed?", str(v), "km/h"),
        (f"How many centimetres are {(c := n(2, 30))} metres?", str(100 * c), "cm"),
        (f"How much do {(p := n(3, 9))} pens cost at {(e := n(2, 9))}.50 dollars each?",
         str(Fraction(2 * e + 1, 2) * p), "dollars"),
        (f"How many seconds are {(s := n(2, 30))} minutes?", str(60 * s), "seconds"),
        (f"A bottle holds {(w := n(2, 9)) * 250} ml. How many litres is that?",
         str(Fraction(w, 4)), "l"),
        (f"How many days are {(d := n(3, 20))} weeks?", str(7 * d), "days"),
        (f"A tank of {(f := n(2, 9)) * 60} litres fills at {f} litres a minute. How long does "
         "it take?", "60", "minutes"),
        (f"How many cents are {(x := n(2, 30))} dollars?", str(100 * x), "cents"),
    ]  # fmt: skip
    made = []
    for at, (text, value, unit) in enumerate(rows):
        if value is not None:
            made.append(_number(f"unit:{at}", text + rng.choice(_FORMS[:3]), value, unit=unit))
    return made


def _others(rng: random.Random) -> list[Question]:
    n = rng.randint
    rows = [
        (f"What is the square root of {(a := n(11, 40)) ** 2}?", str(a), "0"),
        (f"What is 2 to the power of {(b := n(8, 20))}?", str(2**b), "0"),
        (f"Round {n(10, 99)}.4{n(1, 9)} to a whole number.", None, "0"),
        ("What is pi to two decimal places?", "3.14", "0.002"),
        ("What is 10 divided by 3, to two decimal places?", "3.33", "0.01"),
        (f"What is the remainder when {(c := n(50, 200))} is divided by {(d := n(3, 9))}?",
         str(c % d), "0"),
        (f"What is the average of {(e := n(2, 50))}, {(f := n(2, 50))} and {(g := n(2, 50))}? "
         "Round to two decimals.", f"{(e + f + g) / 3:.2f}", "0.01"),
        (f"Solve for x: 3x + {(h := n(2, 9))} = {3 * (k := n(2, 30)) + h}", str(k), "0"),
        (f"What is 5 million plus {(m := n(2, 9))} hundred thousand?",
         str(5_000_000 + 100_000 * m), "0"),
        ("How many zeros does one billion have?", "9", "0"),
        (f"What is {(p := n(2, 9))} x 10^{(q := n(3, 6))} written out?", str(p * 10**q), "0"),
        (f"What is the probability of a fair die showing more than {(r := n(2, 5))}?",
         str(Fraction(6 - r, 6)), "0.01"),
        (f"What is {(s := n(100, 999))} * {(t := n(1000, 9999))}?", str(s * t), "0"),
        (f"What is -{(u := n(10, 99))} + {(v := n(1, 9))}?", str(v - u), "0"),
        (f"What is {(w := n(10, 99))}.{(x := n(1, 9))} + 0.{(y := n(1, 9))}?",
         str(Fraction(10 * w + x + y, 10)), "0"),
        ("What is 1/8 as a decimal?", "0.125", "0"),
    ]  # fmt: skip
    return [
        _number(f"other:{at}", text + rng.choice(_FORMS), value, tolerance=tolerance)
        for at, (text, value, tolerance) in enumerate(rows)
        if value is not None
    ]


def number_questions(dice: str = "numbers") -> list[Question]:
    """About ninety of them; with other dice, the same kinds without the skills."""
    rng = random.Random(dice)
    first = dice == "numbers"
    sums = [q for q in load_suite("skills", limit=6, seed=5) if first and q.skill != "calculator"]
    return [*sums, *_fractions(rng), *_percentages(rng), *_units(rng), *_others(rng)]
