"""Questions whose answer is an expression, and such with several answers to choose from."""

from __future__ import annotations

import random

from qwq_gguf.evaluation.questions import Question

__all__ = ["choice_questions", "math_questions"]

_FACTORS = ((30, "2, 3, 5"), (42, "2, 3, 7"), (70, "2, 5, 7"))
_BOX = " Put the final answer in \\boxed{}."


def math_questions() -> list[Question]:
    """Algebra and calculus of school, with more than one way to write what is right."""
    rng = random.Random("math")
    n = rng.randint
    rows = []
    for _ in range(2):
        a, b, c, d, p, q = n(2, 9), n(2, 9), n(1, 9), n(2, 6), n(1, 9), n(1, 9)
        rows += [
            (f"Expand (x + {a})(x + {b}).", f"x^2 + {a + b}x + {a * b}"),
            (f"Factor x^2 - {c * c}.", f"(x-{c})(x+{c})"),
            (f"What is the derivative of x^{d} + {a}x?", f"{d}x^{d - 1} + {a}"),
            (f"Solve x^2 - {p + q}x + {p * q} = 0. Give all solutions.", f"{{{p}, {q}}}"),
            (f"Simplify the square root of {a * a * 2}.", f"{a}\\sqrt{{2}}"),
            (f"Simplify {a}x + {b}x - x.", f"{a + b - 1}x"),
            (f"What is the area of a circle with radius {a}? Leave pi in the answer.",
             f"{a * a}\\pi"),
            (f"Solve the system x + y = {p + q} and x - y = {p - q}. Give (x, y).", f"({p}, {q})"),
            (f"Write the solution of x > {a} in interval notation.", f"({a}, \\infty)"),
            (f"What is the integral of {2 * a}x dx?", f"{a}x^2 + C"),
            (f"Simplify {a * d}/{b * d} to lowest terms.", f"\\frac{{{a}}}{{{b}}}"),
            (f"Simplify (2^{a}) * (2^{b}) as a power of 2.", f"2^{{{a + b}}}"),
            (f"Solve for y: {d}y = x + {c}", f"y = (x + {c})/{d}"),
            (f"What is sin({rng.choice((30, 45, 60))} degrees)? Give an exact value.", None),
            (f"Rationalize 1/sqrt({(k := rng.choice((2, 3, 5, 7)))}).",
             f"\\frac{{\\sqrt{{{k}}}}}{{{k}}}"),
            (f"Convert {(g := rng.choice((30, 45, 60, 90, 120)))} degrees to radians, with pi.",
             f"\\frac{{{g}\\pi}}{{180}}"),
            (f"What is the 2x2 matrix [[{a}, 0], [0, {b}]] times 2? ",
             f"\\begin{{pmatrix}}{2 * a} & 0 \\\\ 0 & {2 * b}\\end{{pmatrix}}"),
            (f"Evaluate |{p} - {p + q}|.", str(q)),
            (f"Write {a}.{c} as a fraction in lowest terms.", f"{10 * a + c}/10"),
            (f"What is (x^{a + d}) / (x^{a})?", f"x^{d}"),
            (f"What is log base 2 of {2**a}?", str(a)),
            (f"List the prime factors of {(z := rng.choice(_FACTORS))[0]}.", "{" + z[1] + "}"),
        ]  # fmt: skip
        angle = int(rows[-9][0].split("(")[1].split()[0])
        exact = {30: "1/2", 45: "\\sqrt{2}/2", 60: "\\sqrt{3}/2"}[angle]
        rows[-9] = (rows[-9][0], exact)
    return [
        Question(
            key=f"math:{at}", skill="math", text=text + (_BOX if rng.random() < 0.7 else ""),
            grader="math", expected={"answer": answer},
        )
        for at, (text, answer) in enumerate(rows)
        if answer is not None
    ]  # fmt: skip


_CHOICES = (
    ("Which planet is the largest?", "Mars|Jupiter|Earth|Venus", "B"),
    ("What is the capital of Australia?", "Sydney|Melbourne|Canberra|Perth", "C"),
    ("Which gas do plants take in for photosynthesis?", "Carbon dioxide|Oxygen|Helium|Argon", "A"),
    ("What is the chemical symbol of gold?", "Ag|Gd|Go|Au", "D"),
    ("Which number is prime?", "21|27|29|33", "C"),
    ("How many sides does a hexagon have?", "5|6|7|8", "B"),
    ("Which of these is a mammal?", "Shark|Frog|Dolphin|Eagle", "C"),
    ("Who wrote Hamlet?", "Goethe|Shakespeare|Dante|Tolstoy", "B"),
    ("What is 15% of 200?", "15|20|30|45", "C"),
    ("Which ocean is the largest?", "Pacific|Atlantic|Indian|Arctic", "A"),
    ("What is the boiling point of water at sea level in Celsius?", "50|90|100|212", "C"),
    ("Which language runs in web browsers?", "C|Fortran|JavaScript|COBOL", "C"),
    ("Which is larger?", "9.11|9.9|9.09|9.1", "B"),
    ("What is the derivative of x^2?", "x|2x|x^2|2", "B"),
    ("Which metal is liquid at room temperature?", "Iron|Mercury|Copper|Tin", "B"),
    ("Which data structure is first in, first out?", "Stack|Queue|Tree|Heap", "B"),
    ("What does HTTP status 404 mean?", "OK|Moved|Not found|Server error", "C"),
    ("How many bits are in a byte?", "4|8|16|32", "B"),
    (
        "If all cats are animals and Tom is a cat, what is Tom?",
        "a dog|an animal|a plant|a car",
        "B",
    ),
    ("Which month has 28 days in most years?", "January|February|April|June", "B"),
    ("What is the time complexity of binary search?", "O(1)|O(n)|O(log n)|O(n^2)", "C"),
    ("Which of these is not a fruit?", "Apple|Pear|Carrot|Plum", "C"),
)
_FORMS = (
    "Answer with the letter only.",
    'Answer as JSON, like {"answer": "X"} with the letter of your choice.',
    "Put the letter in \\boxed{}.",
    "Explain in one sentence, then give the letter.",
    "",
)


def choice_questions(first: int = 0) -> list[Question]:
    """General knowledge with four options, each in some of five forms; `first` 1: in the others."""
    made = []
    for at, (text, options, letter) in enumerate(_CHOICES):
        named = dict(zip("ABCD", options.split("|"), strict=True))
        lines = "\n".join(f"{name}) {option}" for name, option in named.items())
        forms = (at % 5, (at + 2) % 5, (at + 4) % 5)[: 3 if at % 2 else 2]
        if first:
            forms = tuple(form for form in range(5) if form not in forms)
        for form in forms:
            asked = f"{text}\n{lines}\n{_FORMS[form]}".strip()
            made.append(
                Question(
                    key=f"choice:{at}.{form}", skill="choice", text=asked, grader="choice",
                    expected={"letter": letter, "options": named},
                )
            )  # fmt: skip
    return made
