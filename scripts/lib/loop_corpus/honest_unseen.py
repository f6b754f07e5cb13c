"""Honest texts of kinds that were tried only after the settings had first been fixed. The settings
were changed since for what they showed, so they are texts for tuning now.
"""

# ruff: noqa: E501 (texts are easier to read in one line)

from __future__ import annotations

from random import Random

from loop_corpus.honest_data import NAMES, WORDS
from loop_corpus.honest_numbers import numeral

__all__ = ["UNSEEN"]


def hanoi(draw: Random) -> str:
    out: list[str] = []

    def move(n: int, a: str, b: str, c: str) -> None:
        if n:
            move(n - 1, a, c, b)
            out.append(form.format(n=n, a=a, b=b))
            move(n - 1, c, b, a)

    form = draw.choice(("Move disk {n} from {a} to {b}", "{a} -> {b}", "Disk {n}: peg {a} to {b}."))
    move(draw.choice((5, 6)), "A", "C", "B")
    return "\n".join(out)


def sorting(draw: Random) -> str:
    row = draw.sample(range(100), draw.randrange(6, 9))
    out = [f"Bubble sort of {row}."]
    for _ in row:
        for j in range(len(row) - 1):
            if row[j] > row[j + 1]:
                row[j], row[j + 1] = row[j + 1], row[j]
                out.append(f"{row[j + 1]} > {row[j]}, so swap: {row}")
            else:
                out.append(f"{row[j]} <= {row[j + 1]}, no swap: {row}")
    return "\n".join(out)


def bisection(draw: Random) -> str:
    target, low, high = draw.randrange(2, 50), 0.0, 50.0
    out = [f"Find the square root of {target} by bisection."]
    for i in range(1, draw.randrange(14, 26)):
        mid = (low + high) / 2
        small = mid * mid < target
        out.append(
            f"Step {i}: low = {low:.6f}, high = {high:.6f}, mid = {mid:.6f}, mid^2 = "
            f"{mid * mid:.6f}, which is too {'small' if small else 'large'}."
        )
        low, high = (mid, high) if small else (low, mid)
    return "\n".join(out)


def dice(draw: Random) -> str:
    goal = draw.randrange(5, 10)
    out = [f"How often do two dice show {goal} together? All cases:"]
    for a in range(1, 7):
        for b in range(1, 7):
            out.append(f"({a}, {b}): {a} + {b} = {a + b}" + (", counts" if a + b == goal else ""))
    return "\n".join(out)


def life(draw: Random) -> str:
    n = draw.randrange(7, 10)
    grid = {(i, j) for i in range(n) for j in range(n) if draw.random() < 0.35}
    out = []
    for generation in range(draw.randrange(3, 6)):
        out.append(f"Generation {generation}:")
        out += ["".join("#" if (i, j) in grid else "." for j in range(n)) for i in range(n)]
        near = {
            (i, j): sum((i + x, j + y) in grid for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y)
            for i in range(n)
            for j in range(n)
        }
        grid = {c for c, k in near.items() if k == 3 or (k == 2 and c in grid)}
    return "\n".join(out)


def drum_tab(draw: Random) -> str:
    hat, snare, bass = "x-x-x-x-x-x-x-x-", "----o-------o---", "o-------o-o-----"
    bar = f"HH|{hat}|{hat}|\nSD|{snare}|{snare}|\nBD|{bass}|{bass}|"
    fill = f"HH|{hat}|--------------x-|\nSD|{snare}|oooo------oo----|\nBD|{bass}|o---o---o-------|"
    return "\n\n".join(bar if i % 4 else fill for i in range(1, draw.randrange(7, 13)))


def guitar_tab(draw: Random) -> str:
    out = []
    for _ in range(draw.randrange(3, 7)):
        bar = ["".join(draw.choice("------0123") for _ in range(12)) for _ in range(6)]
        out.append("\n".join(f"{s}|{line}|{line}|" for s, line in zip("eBGDAE", bar, strict=True)))
    return "\n\n".join(out)


def chord_chart(draw: Random) -> str:
    key = draw.choice(("C", "G", "A", "E"))
    four, five = {"C": ("F", "G"), "G": ("C", "D"), "A": ("D", "E"), "E": ("A", "B")}[key]
    bars = [key] * 4 + [four] * 2 + [key] * 2 + [five, four, key, five]
    chorus = "| " + " | ".join(f"{b}7 / / /" for b in bars) + " |"
    names = ("Intro", "Verse 1", "Verse 2", "Solo")[: draw.randrange(2, 4)]
    return "\n\n".join(f"{name}\n{chorus}" for name in names)


def gcode(draw: Random) -> str:
    out, y = ["G21", "G90"], 0.0
    for i in range(draw.randrange(20, 45)):
        y += 0.4
        out.append(f"G1 X{0 if i % 2 else 120}.000 Y{y:.3f} E{i * 0.0332:.4f} F1800")
    return "\n".join(out)


def svg(draw: Random) -> str:
    return (
        '<svg viewBox="0 0 100 100">\n'
        + "\n".join(
            f'  <circle cx="{draw.randrange(100)}" cy="{draw.randrange(100)}" r="2" fill="black"/>'
            for _ in range(draw.randrange(20, 40))
        )
        + "\n</svg>"
    )


def spelling(draw: Random) -> str:
    code = [
        "Alfa",
        "Bravo",
        "Charlie",
        "Delta",
        "Echo",
        "Foxtrot",
        "Golf",
        "Hotel",
        "India",
        "Juliett",
        "Kilo",
        "Lima",
        "Mike",
        "November",
        "Oscar",
        "Papa",
        "Quebec",
        "Romeo",
        "Sierra",
        "Tango",
        "Uniform",
        "Victor",
        "Whiskey",
        "Xray",
        "Yankee",
        "Zulu",
    ]
    return "\n".join(
        f"{w}: " + ", ".join(f"{c.upper()} as in {code[ord(c) - 97]}" for c in w)
        for w in draw.sample(WORDS, draw.randrange(6, 14))
    )


def morse(draw: Random) -> str:
    return " / ".join(
        " ".join("".join(draw.choice(".-") for _ in range(draw.randrange(1, 5))) for _ in range(5))
        for _ in range(draw.randrange(25, 50))
    )


def css(draw: Random) -> str:
    return "\n".join(
        f".{side}-{i} {{\n  {prop}-{side}: {i * 0.25}rem;\n}}\n"
        for prop in ("margin", "padding")
        for side in ("top", "left")
        for i in range(1, 7)
    )


def git_log(draw: Random) -> str:
    verbs = ("Fix", "Add", "Remove", "Rename", "Test", "Document")
    return "\n".join(
        f"{draw.getrandbits(28):07x} {draw.choice(verbs)} the {draw.choice(WORDS)} of the "
        f"{draw.choice(WORDS)}"
        for _ in range(draw.randrange(30, 60))
    )


def cron_log(draw: Random) -> str:
    return "\n".join(
        f"Mar  {1 + m // 288} {m * 5 // 60 % 24:02d}:{m * 5 % 60:02d}:01 host CRON[{2000 + 13 * m}]: "
        "(root) CMD (test -x /usr/sbin/anacron || run-parts --report /etc/cron.hourly)"
        for m in range(draw.randrange(12, 28))
    )


def vmstat(draw: Random) -> str:
    head = "procs  memory      swap     io      system     cpu\n r  b  free  buff  si  so  bi  bo  in  cs"
    return (
        head
        + "\n"
        + "\n".join(
            f" {draw.randrange(3)}  0  {draw.randrange(9999)}  {draw.randrange(999)}   0   0   0  "
            f"{draw.randrange(99)}  {draw.randrange(999)}  {draw.randrange(999)}"
            for _ in range(draw.randrange(25, 50))
        )
    )


def metrics(draw: Random) -> str:
    name = draw.choice(WORDS)
    return "\n".join(
        f'{name}_seconds_bucket{{method="get",le="{0.005 * 2**i:g}"}} {draw.randrange(9999)}'
        for _ in range(3)
        for i in range(12)
    )


def protobuf(draw: Random) -> str:
    return "\n\n".join(
        f"message {w.title()} {{\n"
        + "\n".join(f"  optional string {f} = {i};" for i, f in enumerate(draw.sample(WORDS, 5), 1))
        + "\n}"
        for w in draw.sample(WORDS, draw.randrange(6, 10))
    )


def spreadsheet(draw: Random) -> str:
    return "\n".join(
        f"=SUM(A{i}:F{i})*$H$1+IF(G{i}>0,G{i},0)" for i in range(2, draw.randrange(25, 50))
    )


def nop_sled(draw: Random) -> str:
    out = []
    for i in range(draw.randrange(4, 8)):
        out.append(f".L{i}:\n    mov eax, {draw.randrange(99)}\n    call f{draw.randrange(9)}")
        out.append("    nop\n" * draw.randrange(4, 13) + "    ret")
    return "\n".join(out)


def knock_knock(draw: Random) -> str:
    return "\n\n".join(
        f"Knock, knock.\nWho's there?\n{w.title()}.\n{w.title()} who?\n{w.title()} you glad it's "
        f"only the {draw.choice(WORDS)}?"
        for w in draw.sample(WORDS, draw.randrange(8, 15))
    )


def blessings(draw: Random) -> str:
    return "\n".join(
        f"Blessed is the {a} that keeps the {b}, for it shall be given the {c}."
        for a, b, c in (draw.sample(WORDS, 3) for _ in range(draw.randrange(14, 26)))
    )


def timetable(draw: Random) -> str:
    stops = [w.title() for w in draw.sample(WORDS, 6)]
    out = ["| " + " | ".join(stops) + " |", "|" + "---|" * 6]
    for start in range(300, 300 + 20 * draw.randrange(15, 30), 20):
        out.append(
            "| "
            + " | ".join(
                f"{(start + 7 * k) // 60:02d}:{(start + 7 * k) % 60:02d}" for k in range(6)
            )
            + " |"
        )
    return "\n".join(out)


def doubts(draw: Random) -> str:
    a, b, c = (draw.randrange(11, 99) for _ in range(3))
    out = [
        f"Okay, so the question is {a} * {b} + {c}. {a} * {b} = {a * b}, plus {c} is {a * b + c}."
    ]
    checks = [
        f"Wait, let me check {a} * {b} again: {a} * {b // 10 * 10} = {a * (b // 10 * 10)} and {a} * "
        f"{b % 10} = {a * (b % 10)}, together {a * b}. Okay.",
        f"Wait, is it {a} * ({b} + {c})? No, the product comes first. So {a * b} + {c}.",
        f"Hmm, let me estimate: {a} is about {round(a, -1)} and {b} is about {round(b, -1)}, so about "
        f"{round(a, -1) * round(b, -1)}. That is near {a * b}. Okay.",
        f"Wait, the last digit: {a % 10} * {b % 10} ends in {a * b % 10}, plus {c % 10} ends in "
        f"{(a * b + c) % 10}. My result ends in {(a * b + c) % 10}. Okay.",
        f"Wait, modulo 9: {a % 9} * {b % 9} + {c % 9} = {(a * b + c) % 9}. And {a * b + c} mod 9 is "
        f"{(a * b + c) % 9}. Okay.",
        f"Wait, modulo 11: {a % 11} * {b % 11} + {c % 11} = {(a * b + c) % 11}. And {a * b + c} mod 11 "
        f"is {(a * b + c) % 11}. Okay.",
    ]
    draw.shuffle(checks)
    return "\n\n".join([*out, *checks, f"So the answer is {a * b + c}."])


def parity_thought(draw: Random) -> str:
    out = ["Let me check which of these sums are even, one at a time. Total so far: 0 even."]
    even = 0
    for i in range(1, draw.randrange(18, 30)):
        a, b = draw.randrange(100), draw.randrange(100)
        even += (a + b) % 2 == 0
        out.append(
            f"Sum {i}: {a} + {b} = {a + b}, which is {'odd' if (a + b) % 2 else 'even'}. "
            f"Total so far: {even} even."
        )
    return "\n".join(out)


def elimination(draw: Random) -> str:
    people, things = draw.sample(NAMES, 4), draw.sample(WORDS, 4)
    out = []
    for p in people:
        for t in things:
            out.append(f"Could {p} have the {t}? " + draw.choice((
                f"By clue {draw.randrange(1, 6)}, no, since {draw.choice(people)} has it.",
                f"Nothing rules it out yet, so {p} may have the {t}.",
                f"Clue {draw.randrange(1, 6)} says that {p} does not like the {t}, so no.",
            )))  # fmt: skip
    return "\n".join(out)


def birthdays(draw: Random) -> str:
    who = draw.sample(NAMES, draw.randrange(4, 7))
    line = "Happy birthday to you,\n"
    return "\n\n".join(
        f"{line}{line}Happy birthday, dear {w},\nhappy birthday to you!" for w in who
    )


def sheep(draw: Random) -> str:
    return "\n".join(
        f"{numeral(i).title()} sheep jumped over the fence, and {w} was still awake."
        for i, w in ((i, draw.choice(NAMES)) for i in range(1, draw.randrange(20, 40)))
    )


UNSEEN = (
    hanoi, sorting, bisection, dice, life, drum_tab, guitar_tab, chord_chart, gcode, svg, spelling,
    morse, css, git_log, cron_log, vmstat, metrics, protobuf, spreadsheet, nop_sled, knock_knock,
    blessings, timetable, doubts, parity_thought, elimination, birthdays, sheep,
)  # fmt: skip
