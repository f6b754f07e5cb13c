"""How people type the questions that the demo model is trained on.

The suites ask in a few tidy forms, and a model of this size knows only what it was shown: trained
on those alone it counted letters in `"strawberry"` and not in `the word "strawberry"`. So most
conversations ask in other words here: other quotes, signs and capitals, no question mark, a
greeting before or a thank-you behind. The problem stays the one that was drawn, and so does its
side of the split.
"""

from __future__ import annotations

import random

from qwq_gguf.evaluation.suites.problems import Problem

AS_DRAWN = 0.35  # of the questions stay in the suites' own words

_SIGNS = {
    "*": ("*", " * ", " x ", "x", " \u00d7 ", "\u00d7", " times ", " multiplied by ", " X "),
    "+": ("+", " + ", " + ", " plus "),
    "-": ("-", " - ", " - ", " minus ", " \u2212 "),
    "/": ("/", " / ", " / ", " divided by ", " ÷ ", "÷"),
}
_ASKS = (
    "What is {e}?",
    "What's {e}?",
    "Whats {e}?",
    "What does {e} equal?",
    "How much is {e}?",
    "{e}",
    "{e}=",
    "{e} =",
    "{e} = ?",
    "{e}=?",
    "{e}?",
    "Calculate {e}.",
    "Compute {e}.",
    "Solve {e}.",
    "Work out {e}.",
    "Evaluate {e}.",
    "Find {e}.",
    "Can you calculate {e}?",
    "Could you work out {e}?",
    "Can you tell me what {e} is?",
    "Tell me what {e} is.",
    "Please calculate {e}.",
    "What is the result of {e}?",
    "What is the value of {e}?",
    "I need to know {e}.",
)
_NAMED = {
    "*": (
        "What is the product of {a} and {b}?",
        "Multiply {a} by {b}.",
        "Multiply {a} and {b}.",
        "Multiply {a} with {b}.",
        "Can you multiply {a} by {b}?",
        "Product of {a} and {b}",
    ),
    "+": (
        "What is the sum of {a} and {b}?",
        "Sum of {a} and {b}",
        "Add {a} and {b}.",
        "Add {a} to {b}.",
        "Can you add {a} and {b}?",
        "What do {a} and {b} make together?",
    ),
    "-": (
        "Subtract {b} from {a}.",
        "Take {b} away from {a}.",
        "Can you subtract {b} from {a}?",
        "What is left of {a} after taking {b}?",
    ),
    "/": ("Divide {a} by {b}.", "Can you divide {a} by {b}?"),
}
_LARGER = ("larger", "larger", "bigger", "bigger", "greater", "higher", "more")
_SMALLER = ("smaller", "smaller", "less", "lower", "littler")
_COMPARES = (
    "Which is {w}, {a} or {b}?",
    "Which is {w}: {a} or {b}?",
    "Which is {w} {a} or {b}?",
    "Which one is {w}, {a} or {b}?",
    "Which number is {w}, {a} or {b}?",
    "Which number is {w}: {a} or {b}?",
    "Which is the {w} number, {a} or {b}?",
    "Which of {a} and {b} is {w}?",
    "What is {w}, {a} or {b}?",
    "What's {w}, {a} or {b}?",
    "What's {w}: {a} or {b}?",
    "{a} or {b}, which is {w}?",
    "{a} or {b}: which is {w}?",
    "{a} vs {b}, which is {w}?",
    "{a} and {b}, which one is {w}?",
    "Is {a} or {b} {w}?",
    "Is {a} {w} than {b}?",
    "Of {a} and {b}, which is {w}?",
    "Compare {a} and {b}. Which is {w}?",
    "Tell me which is {w}, {a} or {b}.",
)
_LETTERS = (
    "How many {c} are in {w}?",
    "How many {c} are there in {w}?",
    "How many {c} in {w}?",
    "How many {c} does {w} have?",
    "How many {c} does {w} contain?",
    "How many {c} can you find in {w}?",
    "Count the {c} in {w}.",
    "Count {c} in {w}.",
    "Number of {c} in {w}",
    "What is the number of {c} in {w}?",
    "Can you count the {c} in {w}?",
    "Tell me how many {c} are in {w}.",
)
_OCCURS = (
    "How many times does {c} appear in {w}?",
    "How many times does {c} occur in {w}?",
    "How many times is {c} in {w}?",
    "How often does {c} appear in {w}?",
    "How often is {c} in {w}?",
)
_BEFORE = (
    *("Hi, ", "Hi! ", "Hello, ", "Hey, ", "Hey! ", "OK, ", "Ok ", "Now ", "And "),
    *("Question: ", "Q: ", "Quick question: ", "Please tell me: ", "So, ", "Please: ", "hey "),
)
_BEHIND = (
    *(" Thanks!", " Thank you.", " Please.", " please", " thanks", "\n", " ", " Be brief."),
    *(" Think step by step.", " Explain.", " Show your work.", " Take your time."),
)


def _grouped(number: str, rng: random.Random) -> str:
    """A whole number, now and then with its thousands apart as many people write them."""
    return f"{int(number):,}" if len(number) > 3 and rng.random() < 0.06 else number


def _arithmetic(problem: Problem, rng: random.Random) -> str:
    expression = problem.operands[0]
    if problem.skill == "calculator":
        sign = next(c for c in expression if not c.isdigit())
        a, _, b = expression.partition(sign)
    else:
        a, b = problem.operands
        sign = {"multiply": "*", "add": "+", "subtract": "-"}[problem.skill]
    a, b = _grouped(a, rng), _grouped(b, rng)
    if rng.random() < 0.2:
        return rng.choice(_NAMED[sign]).format(a=a, b=b)
    return rng.choice(_ASKS).format(e=a + rng.choice(_SIGNS[sign]) + b)


def _compare(problem: Problem, rng: random.Random) -> str:
    a, b, asked = problem.operands
    word = rng.choice(_LARGER if asked == "larger" else _SMALLER)
    return rng.choice(_COMPARES).format(w=word, a=a, b=b)


def _word(word: str, rng: random.Random) -> str:
    shown = rng.choices((word, word.capitalize(), word.upper()), (84, 13, 3))[0]
    left, right = rng.choices(
        (('"', '"'), ("'", "'"), ("\u201c", "\u201d"), ("", ""), ("`", "`")), (45, 14, 4, 35, 2)
    )[0]
    before = rng.choices(("", "the word ", "the word: "), (55, 42, 3))[0]
    return f"{before}{left}{shown}{right}"


def _letters(problem: Problem, rng: random.Random) -> str:
    word, letter = problem.operands
    shown = letter.upper() if rng.random() < 0.12 else letter
    quoted = rng.choice((shown, f'"{shown}"', f"'{shown}'"))
    if rng.random() < 0.25:
        once = rng.choice((quoted, f"the letter {quoted}", f"letter {quoted}"))
        return rng.choice(_OCCURS).format(c=once, w=_word(word, rng))
    several = rng.choice(
        (
            *(f"{shown}'s", f"{shown}'s", f"{shown}'s", f"{shown}s", quoted, f"{quoted}s"),
            *(f"letter {quoted}", f"letters {quoted}", f"letter {shown}'s", f"{quoted} letters"),
        )
    )
    return rng.choice(_LETTERS).format(c=several, w=_word(word, rng))


def _typed(text: str, rng: random.Random) -> str:
    """A question as it comes from a keyboard."""
    if rng.random() < 0.3:
        text = text.rstrip("?.")
    if rng.random() < 0.3:
        text = text[0].lower() + text[1:]
    if rng.random() < 0.08:
        text = rng.choice(_BEFORE) + text[0].lower() + text[1:]
    if rng.random() < 0.08:
        text += rng.choice(_BEHIND)
    return text


_FORMS = {"compare": _compare, "letters": _letters}


def ask(problem: Problem, rng: random.Random) -> str:
    """A problem's question, in its own words or others."""
    if rng.random() < AS_DRAWN:
        return problem.question
    if rng.random() < 0.2:
        return _typed(problem.question, rng)
    return _typed(_FORMS.get(problem.skill, _arithmetic)(problem, rng), rng)


def as_drawn(problem: Problem, rng: random.Random) -> str:
    """A problem's question in its own words, which is all that the first weights were shown."""
    del rng
    return problem.question
