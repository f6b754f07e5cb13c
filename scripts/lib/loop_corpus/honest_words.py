"""Honest texts in words and code that look repetitive: songs, proofs, thoughts, programs."""

# ruff: noqa: E501 (texts are easier to read in one line)

from __future__ import annotations

from itertools import pairwise, permutations
from random import Random

from loop_corpus.honest_data import NAMES, WORDS
from loop_corpus.honest_numbers import numeral

__all__ = ["TEXTS"]


def bottles(draw: Random) -> str:
    thing, top = draw.choice(WORDS), draw.randrange(9, 16)
    return "\n\n".join(
        f"{numeral(n).title()} green {thing}s standing on the wall,\n"
        f"{numeral(n).title()} green {thing}s standing on the wall,\n"
        f"And if one green {thing} should accidentally fall,\n"
        f"There'd be {numeral(n - 1)} green {thing}s standing on the wall."
        for n in range(top, 0, -1)
    )


def cumulative_song(draw: Random) -> str:
    gifts = draw.sample(WORDS, draw.randrange(7, 11))
    verses = []
    for day in range(1, len(gifts) + 1):
        lines = [f"On day {numeral(day)} of winter my neighbour gave to me"]
        lines += [f"{numeral(n)} {gifts[n - 1]}s," for n in range(day, 1, -1)]
        verses.append("\n".join([*lines, f"{'and ' if day > 1 else ''}one {gifts[0]}."]))
    return "\n\n".join(verses)


def house_that_was_built(draw: Random) -> str:
    chain = [
        (draw.choice(WORDS), verb)
        for verb in ("lay in", "ate", "chased", "worried", "tossed", "milked", "kissed", "married")
    ]
    verses = []
    for n in range(1, len(chain) + 1):
        lines = [f"This is the {chain[n - 1][0]}"]
        lines += [f"that {chain[k][1]} the {chain[k - 1][0]}" for k in range(n - 1, 0, -1)]
        verses.append("\n".join([*lines, "that lay in the house that we built."]))
    return "\n\n".join(verses)


def refrain_poem(draw: Random) -> str:
    refrain = f"O {draw.choice(WORDS)}, O {draw.choice(WORDS)}, come back to me,\ncome back to me."
    verses = []
    for _ in range(draw.randrange(5, 9)):
        a, b, c, d = draw.sample(WORDS, 4)
        verses.append(f"The {a} was by the {b} laid,\nthe {c} in the {d}'s shade.\n{refrain}")
    return "\n\n".join(verses)


def pantoum(draw: Random) -> str:
    lines = [
        f"The {a} remembers the {b} and the {c}"
        for a, b, c in (draw.sample(WORDS, 3) for _ in range(14))
    ]
    return "\n\n".join(
        "\n".join((lines[i], lines[i + 1], lines[i + 2], lines[i + 3])) for i in range(0, 10, 2)
    )


def litany(draw: Random) -> str:
    return "\n".join(
        f"From the {a} and the {b}, deliver us."
        for a, b in (draw.sample(WORDS, 2) for _ in range(draw.randrange(20, 45)))
    )


def row_your_boat(draw: Random) -> str:
    verbs = draw.sample(("row", "push", "pull", "rock", "sail", "steer", "build", "paint"), 6)
    return (
        "\n\n".join(
            f"{v.title()}, {v}, {v} your boat,\ngently down the stream,\n"
            f"merrily, merrily, merrily, merrily,\nlife is but a {draw.choice(WORDS)}."
            for v in verbs
        )
        + "\n\nLa la la la, la la la la, la la la la la."
    )


def genealogy(draw: Random) -> str:
    names = [f"{a}{b.lower()}" for a in NAMES for b in NAMES[:3]]
    draw.shuffle(names)
    line = names[: draw.randrange(25, 50)]
    return " ".join(
        f"And {a} lived {draw.randrange(30, 200)} years, and begat {b}." for a, b in pairwise(line)
    )


def proof_by_cases(draw: Random) -> str:
    m = draw.randrange(5, 12)
    out = [f"Claim: n^{m} - n has the same parity for all n. Proof by cases modulo {m}."]
    for k in range(m):
        out.append(
            f"Case {k + 1}: n = {m}q + {k} for some integer q. Then n^2 = {m * m}q^2 + "
            f"{2 * m * k}q + {k * k}, so n^2 leaves the remainder {k * k % m} modulo {m}. "
            f"Hence n^2 - n leaves the remainder {(k * k - k) % m}, as claimed for this case."
        )
    return "\n\n".join([*out, "These are all cases, so the claim holds. QED"])


def checking_thought(draw: Random) -> str:
    a, b = draw.randrange(12, 99), draw.randrange(100, 999)
    digits = [int(d) for d in str(b)][::-1]
    out = [f"Okay, so I need to find {a} * {b}. Let me split {b}."]
    total = 0
    for place, digit in enumerate(digits):
        part = a * digit * 10**place
        out.append(
            f"{a} * {digit * 10**place} = {part}. Running sum: {total} + {part} = {total + part}."
        )
        total += part
    wrong = total + draw.choice((10, -10, 100))
    out += [
        f"So {a} * {b} = {wrong}.",
        f"Wait, let me check that again. {wrong} mod 9 is "
        f"{wrong % 9}, but {a % 9} * {b % 9} mod 9 is {a * b % 9}. That doesn't match.",
        "Hmm, so there is a slip. Let me do it the other way.",
    ]
    for x in range(2, 10):
        out.append(
            f"Wait, let me check with {x}: {a} * {b} mod {x} should be {a % x} * {b % x} = "
            f"{(a % x) * (b % x)} = {a * b % x} mod {x}, and {total} mod {x} = "
            f"{total % x}. Good."
        )
    return "\n".join([*out, f"Okay, all of them agree. The answer is {total}."])


def letters_thought(draw: Random) -> str:
    word = "".join(draw.choice(WORDS) for _ in range(draw.randrange(3, 6)))
    letter = draw.choice(word)
    out, count = [f'Let me count how many times "{letter}" is in "{word}".'], 0
    for i, c in enumerate(word, 1):
        count += c == letter
        out.append(
            f'Letter {i} is "{c}". '
            + (
                f'That is a "{letter}", so the count is {count}.'
                if c == letter
                else f'Not "{letter}", the count stays {count}.'
            )
        )
    return "\n".join([*out, f"So the answer is {count}."])


def search_thought(draw: Random) -> str:
    target = draw.randrange(60, 140)
    out = [f"I need positive integers a <= b with a^2 + b^2 = {target * target % 900 + 100}."]
    goal = target * target % 900 + 100
    a = 1
    while 2 * a * a <= goal:
        rest = goal - a * a
        root = int(rest**0.5)
        verdict = (
            "that works!"
            if root * root == rest
            else f"not a square, since {root}^2 = {root * root}."
        )
        out.append(f"Let me try a = {a}. Then b^2 = {goal} - {a * a} = {rest}, {verdict}")
        a += 1
    return "\n".join(out)


def seating_thought(draw: Random) -> str:
    who = draw.sample(NAMES, 4)
    out = [f"Let me list all orders of {', '.join(who)} where {who[0]} is not next to {who[1]}."]
    for i, order in enumerate(permutations(who), 1):
        near = abs(order.index(who[0]) - order.index(who[1])) == 1
        out.append(
            f"{i}. {', '.join(order)}: {who[0]} and {who[1]} are "
            + ("next to each other, so no." if near else "apart, so this one counts.")
        )
    return "\n".join(out)


def syllogisms(draw: Random) -> str:
    out = []
    for i in range(1, draw.randrange(10, 18)):
        a, b, c = draw.sample(WORDS, 3)
        good = draw.random() < 0.5
        out.append(
            f"{i}. All {a}s are {b}s. {'All' if good else 'Some'} {b}s are {c}s. Therefore "
            f"{'all' if good else 'some'} {a}s are {c}s. This is "
            f"{'valid' if good else 'not valid'}."
        )
    return "\n".join(out)


def quiz(draw: Random) -> str:
    return "\n\n".join(
        f"Question {i}: Which of these is a kind of {draw.choice(WORDS)}?\nA) {a}\nB) {b}\nC) {c}\n"
        f"D) none of the above\nAnswer: {draw.choice('ABCD')}"
        for i, (a, b, c) in enumerate((draw.sample(WORDS, 3) for _ in range(15)), 1)
    )


def conjugation(draw: Random) -> str:
    persons = ("I", "you", "he, she or it", "we", "you (plural)", "they")
    out = []
    for verb in draw.sample(("walk", "talk", "paint", "jump", "climb", "look", "open", "call"), 4):
        for tense, form in (
            ("Present", "{v}"),
            ("Past", "{v}ed"),
            ("Future", "will {v}"),
            ("Perfect", "have {v}ed"),
        ):
            out.append(f"{tense} of to {verb}:")
            out += [f"- {p} {form.format(v=verb)}" for p in persons]
    return "\n".join(out)


def lines_for_punishment(draw: Random) -> str:
    n = draw.randrange(12, 26)
    return f"Write it {n} times.\n\n" + "\n".join(
        f"{i}. I will not throw the {draw.choice(WORDS)} again." for i in range(1, n + 1)
    )


def unrolled_loop(draw: Random) -> str:
    form = draw.choice((
        "    sum += a[{i}] * b[{i}];", "    out[{i}] = in[{i}] >> 4 & 0x0f;",
        "    movups xmm{r}, [rsi + {o}]\n    addps xmm{r}, [rdx + {o}]\n    movups [rdi + {o}], xmm{r}",
        "    x{i} = torch.relu(self.layer{i}(x{j}))",
    ))  # fmt: skip
    n = draw.randrange(24, 64)
    return "\n".join(form.format(i=i, j=i - 1, r=i % 8, o=16 * i) for i in range(1, n))


def switch(draw: Random) -> str:
    return (
        "switch (key) {\n"
        + "\n".join(
            f"    case KEY_{w.upper()}:\n        handle_{w}(event);\n        break;"
            for w in draw.sample(WORDS, draw.randrange(15, 35))
        )
        + "\n    default:\n        break;\n}"
    )


def getters(draw: Random) -> str:
    return (
        "public class Thing {\n"
        + "\n".join(
            f"    private String {w};\n\n    public String get{w.title()}() {{\n        return this.{w};"
            f"\n    }}\n\n    public void set{w.title()}(String {w}) {{\n        this.{w} = {w};\n    }}\n"
            for w in draw.sample(WORDS, draw.randrange(8, 16))
        )
        + "}"
    )


def unit_tests(draw: Random) -> str:
    w = draw.choice(WORDS)
    return f"from {w} import encode\n\n" + "\n".join(
        f"\ndef test_encode_{i}() -> None:\n    assert encode({draw.randrange(999)}) == "
        f'"{draw.choice(WORDS)}"\n'
        for i in range(draw.randrange(12, 30))
    )


def constants(draw: Random) -> str:
    bits, n = draw.choice((8, 16, 32)), draw.randrange(8, 24)
    return (
        f"static const uint{bits}_t table[{n * 8}] = {{\n"
        + "\n".join(
            "    " + ", ".join(f"0x{draw.getrandbits(bits):0{bits // 4}x}" for _ in range(8)) + ","
            for _ in range(n)
        )
        + "\n};"
    )


def html(draw: Random) -> str:
    return (
        '<ul class="menu">\n'
        + "\n".join(
            f'  <li class="item"><a class="link" href="/{w}">{w.title()}</a></li>'
            for w in draw.sample(WORDS, draw.randrange(20, 40))
        )
        + "\n</ul>"
    )


def html_grid(draw: Random) -> str:
    cell = '    <div class="cell"></div>\n'
    n = draw.randrange(3, 7)
    return "".join(f'<div class="row" id="{w}">\n{cell * n}</div>\n' for w in draw.sample(WORDS, 8))


def latex(draw: Random) -> str:
    return (
        "\\begin{align}\n"
        + " \\\\\n".join(
            f"x_{{{i}}} &= {draw.randrange(9)} y_{{{i}}} + {draw.randrange(9)} z_{{{i}}} - "
            f"{draw.randrange(9)}"
            for i in range(1, draw.randrange(15, 30))
        )
        + "\n\\end{align}"
    )


def ascii_art(draw: Random) -> str:
    kind = draw.choice(("triangle", "board", "sierpinski", "wave", "stars"))
    n = draw.randrange(12, 24)
    if kind == "triangle":
        return "\n".join(" " * (n - i) + "*" * (2 * i + 1) for i in range(n))
    if kind == "board":
        return "\n".join("+---" * 8 + "+\n" + "|   " * 8 + "|" for _ in range(8))
    if kind == "sierpinski":
        return "\n".join("".join("*" if i & j == 0 else " " for j in range(32)) for i in range(32))
    if kind == "wave":
        return "\n".join(" " * abs(i % 20 - 10) + "~~~~" for i in range(3 * n))
    return "\n".join(" ".join("*" * n) for _ in range(n // 2))


def chess(draw: Random) -> str:
    squares = [f"{f}{r}" for f in "abcdefgh" for r in range(1, 9)]
    return " ".join(
        f"{i}. {draw.choice(('', 'N', 'B', 'R', 'Q'))}{draw.choice(squares)} "
        f"{draw.choice(('', 'N', 'B', 'R', 'Q'))}{draw.choice(squares)}"
        for i in range(1, draw.randrange(30, 70))
    )


def minutes(draw: Random) -> str:
    return "\n".join(
        f"{a}: I think that we should paint the {w}.\n{b}: I don't agree with {a} about the {w}."
        for a, b, w in ((*draw.sample(NAMES, 2), draw.choice(WORDS)) for _ in range(18))
    )


TEXTS = (
    bottles, cumulative_song, house_that_was_built, refrain_poem, pantoum, litany, row_your_boat,
    genealogy, proof_by_cases, checking_thought, letters_thought, search_thought, seating_thought,
    syllogisms, quiz, conjugation, lines_for_punishment, unrolled_loop, switch, getters,
    unit_tests, constants, html, html_grid, latex, ascii_art, chess, minutes,
)  # fmt: skip
