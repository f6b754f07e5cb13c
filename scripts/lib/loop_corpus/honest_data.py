"""Honest texts that programs print: logs, tables, dumps, reports, in their own formats."""

from __future__ import annotations

import base64
import calendar
import csv
import dis
import io
import json
from datetime import datetime, timedelta
from random import Random

__all__ = ["DATA", "NAMES", "WORDS"]

NAMES = [
    "Anna",
    "Ben",
    "Clara",
    "David",
    "Emma",
    "Felix",
    "Greta",
    "Hugo",
    "Ida",
    "Jonas",
    "Klara",
    "Leo",
    "Mia",
    "Noah",
    "Olga",
    "Paul",
    "Rosa",
    "Sam",
    "Tina",
    "Udo",
    "Vera",
    "Willi",
    "Xenia",
    "Yann",
    "Zoe",
]
WORDS = [
    "apple",
    "bridge",
    "candle",
    "desert",
    "engine",
    "forest",
    "garden",
    "harbor",
    "island",
    "jacket",
    "kettle",
    "ladder",
    "market",
    "needle",
    "orange",
    "pencil",
    "quartz",
    "ribbon",
    "signal",
    "timber",
    "urchin",
    "valley",
    "window",
    "yellow",
    "zipper",
    "anchor",
    "basket",
    "copper",
    "dragon",
    "ember",
    "fossil",
    "glacier",
    "hammer",
    "insect",
    "jungle",
    "kernel",
    "lemon",
    "magnet",
    "nickel",
    "oyster",
    "parcel",
    "quiver",
    "rocket",
    "saddle",
    "tunnel",
    "utensil",
    "violin",
    "walnut",
]
_DAY = datetime(2024, 3, 1, 10)


def _times(draw: Random, most: float) -> list[datetime]:
    out, now = [], _DAY + timedelta(hours=draw.randrange(2000))
    for _ in range(draw.randrange(25, 70)):
        now += timedelta(seconds=draw.random() * most)
        out.append(now)
    return out


def csv_table(draw: Random) -> str:
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(("id", "name", "item", "quantity", "price", "paid"))
    for i in range(draw.randrange(30, 70)):
        rows.writerow(
            (i + 1, draw.choice(NAMES), draw.choice(WORDS), draw.randrange(1, 9),
             f"{draw.random() * 90:.2f}", draw.choice(("yes", "no")))
        )  # fmt: skip
    return out.getvalue()


def json_users(draw: Random) -> str:
    users = [
        {
            "id": i,
            "name": draw.choice(NAMES),
            "email": f"{draw.choice(WORDS)}{i}@example.com",
            "active": draw.random() < 0.7,
            "address": {"street": f"{draw.choice(WORDS).title()} Road", "zip": str(10000 + i * 7)},
            "tags": draw.sample(WORDS, draw.randrange(0, 3)),
        }
        for i in range(draw.randrange(8, 20))
    ]
    return json.dumps({"users": users}, indent=draw.choice((2, 4, None)))


def json_defaults(draw: Random) -> str:
    return json.dumps(
        {
            f"{a}_{b}": {"enabled": draw.random() < 0.8, "value": 0, "unit": None, "children": []}
            for a, b in (draw.sample(WORDS, 2) for _ in range(draw.randrange(10, 25)))
        },
        indent=2,
    )


def markdown_table(draw: Random) -> str:
    head = (
        "| name | Monday | Tuesday | Wednesday | Thursday | Friday |\n|---|---|---|---|---|---|\n"
    )
    cells = ("free", "work", "work", "off", "-")
    return head + "\n".join(
        f"| {name} | " + " | ".join(draw.choice(cells) for _ in range(5)) + " |"
        for name in draw.sample(NAMES, draw.randrange(12, 25))
    )


def server_log(draw: Random) -> str:
    kinds = (
        ("INFO", "request handled path=/{w} status=200 duration={n}ms"),
        ("INFO", "request handled path=/{w}/{n} status=200 duration={m}ms"),
        ("DEBUG", "cache hit key={w}:{n}"),
        ("DEBUG", "cache miss key={w}:{n}, reading from disk"),
        ("WARNING", "slow query: {n} ms for table {w}"),
        ("INFO", "worker {m} started job {w}-{n}"),
        ("INFO", "worker {m} finished job {w}-{n}"),
        ("ERROR", "connection to {w}.example.com refused, retrying in {m} s"),
    )
    weights = [draw.random() + 0.1 for _ in kinds]
    out = []
    for at in _times(draw, 3):
        ((level, text),) = draw.choices(kinds, weights)
        said = text.format(w=draw.choice(WORDS), n=draw.randrange(1, 999), m=draw.randrange(1, 32))
        out.append(f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} {level} app: {said}")
    return "\n".join(out)


def heartbeat_log(draw: Random) -> str:
    return "\n".join(
        f"{at:%H:%M:%S} heartbeat from node-{draw.randrange(1, 6)}: load {draw.random() * 4:.2f}, "
        f"memory {draw.randrange(20, 95)} %, {draw.randrange(0, 40)} connections, ok"
        for at in _times(draw, 30)
    )


def retries(draw: Random) -> str:
    host = draw.choice(WORDS)
    out = [f"Connecting to {host}.example.com:5432 ..."]
    for i in range(1, draw.randrange(6, 13)):
        out.append(f"Connection refused. Attempt {i}, waiting {2**i} s")
        out.append(f"Connecting to {host}.example.com:5432 ...")
    return "\n".join([*out, "Connected."])


def access_log(draw: Random) -> str:
    return "\n".join(
        f'10.0.{draw.randrange(4)}.{draw.randrange(256)} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "'
        f'{draw.choice(("GET", "GET", "POST"))} /{draw.choice(WORDS)} HTTP/1.1" '
        f"{draw.choice((200, 200, 200, 304, 404))} {draw.randrange(99, 9999)}"
        for at in _times(draw, 9)
    )


def hex_dump(draw: Random) -> str:
    kind = draw.choice(("random", "text", "zeros", "sparse"))
    n = 16 * draw.randrange(16, 40)
    raw = {
        "random": draw.randbytes(n),
        "text": " ".join(draw.choices(WORDS, k=n))[:n].encode(),
        "zeros": b"\x7fELF\x02\x01\x01" + bytes(16 * 10) + draw.randbytes(48),
        "sparse": bytes(draw.randrange(256) if draw.random() < 0.2 else 0 for _ in range(n)),
    }[kind]
    out = []
    for at in range(0, len(raw), 16):
        row = raw[at : at + 16]
        shown = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        out.append(f"{at:08x}  {row.hex(' ')}  |{shown}|")
    return "\n".join(out)


def base64_text(draw: Random) -> str:
    return base64.encodebytes(draw.randbytes(draw.randrange(300, 900))).decode()


def pytest_output(draw: Random) -> str:
    n = draw.randrange(30, 70)
    out = ["=" * 30 + " test session starts " + "=" * 30, f"collected {n} items", ""]
    for i in range(n):
        name = f"tests/test_{draw.choice(WORDS[:6])}.py::test_{draw.choice(WORDS)}"
        case = f"[{draw.choice(WORDS)}-{i}]" if draw.random() < 0.4 else ""
        out.append(f"{name}{case} PASSED".ljust(72) + f"[{100 * (i + 1) // n:3d}%]")
    return "\n".join([*out, "", "=" * 30 + f" {n} passed in 3.21s " + "=" * 30])


def parametrized_tests(draw: Random) -> str:
    n = draw.randrange(25, 60)
    name = draw.choice(WORDS)
    return "\n".join(
        f"tests/test_{name}.py::test_{name}[{i}] PASSED".ljust(60) + f"[{100 * (i + 1) // n:3d}%]"
        for i in range(n)
    )


def dots(draw: Random) -> str:
    out = []
    done = 0
    for _ in range(draw.randrange(8, 20)):
        width = draw.randrange(20, 70)
        marks = "".join("." if draw.random() < 0.97 else draw.choice("sFx") for _ in range(width))
        done += width
        out.append(f"tests/{draw.choice(WORDS)}/test_{draw.choice(WORDS)}.py {marks} [{done}]")
    return "\n".join(out)


def training_log(draw: Random) -> str:
    loss = 4.0
    out = []
    for step in range(0, draw.randrange(30, 70) * 10, 10):
        loss *= 0.99 - draw.random() * 0.02
        out.append(
            f"step {step:5d} | loss {loss:.4f} | lr {3e-4 * 0.99 ** (step / 10):.2e} | "
            f"grad norm {draw.random() * 2:.3f} | {draw.randrange(9000, 9999)} tok/s"
        )
    return "\n".join(out)


def progress_bar(draw: Random) -> str:
    name = draw.choice(WORDS)
    out = []
    for percent in range(0, 101, draw.choice((4, 5, 7))):
        bar = "#" * (percent // 5)
        out.append(f"{name}.bin {percent:3d}% [{bar:<20}] {percent * 12.3:.1f} MB of 1230.0 MB")
    return "\n".join(out)


def ping(draw: Random) -> str:
    host = f"192.168.{draw.randrange(9)}.{draw.randrange(1, 255)}"
    return f"PING {host} 56(84) bytes of data.\n" + "\n".join(
        f"64 bytes from {host}: icmp_seq={i} ttl=64 time={draw.random() * 9:.3f} ms"
        for i in range(1, draw.randrange(20, 50))
    )


def ls(draw: Random) -> str:
    return "total 812\n" + "\n".join(
        f"-rw-r--r-- 1 root root {draw.randrange(99999):6d} {at:%b %d %H:%M} "
        f"{draw.choice(WORDS)}_{draw.choice(WORDS)}.{draw.choice(('py', 'txt', 'md', 'toml'))}"
        for at in _times(draw, 40000)
    )


def make_output(draw: Random) -> str:
    n = draw.randrange(20, 50)
    return "\n".join(
        f"[{100 * i // n:3d}%] Building CXX object src/CMakeFiles/{draw.choice(WORDS[:3])}.dir/"
        f"{draw.choice(WORDS)}_{draw.choice(WORDS)}.cpp.o"
        for i in range(1, n + 1)
    )


def diff(draw: Random) -> str:
    old, new = draw.sample(WORDS, 2)
    out = []
    for _ in range(draw.randrange(5, 10)):
        file = f"src/{draw.choice(WORDS)}.py"
        line = draw.randrange(1, 300)
        out += [f"--- a/{file}", f"+++ b/{file}", f"@@ -{line},3 +{line},3 @@",
                f" import {draw.choice(WORDS)}", f"-from package.{old} import {old}",
                f"+from package.{new} import {new}", f" import {draw.choice(WORDS)}"]  # fmt: skip
    return "\n".join(out)


def bytecode(draw: Random) -> str:
    terms = " + ".join(f"{draw.choice('abc')} * {draw.randrange(99)}" for _ in range(14))
    code = compile(f"def f(a, b, c):\n    x = {terms}\n    return x", "f", "exec")
    out = io.StringIO()
    for each in code.co_consts:
        if hasattr(each, "co_code"):
            dis.dis(each, file=out)
    return out.getvalue()


def year(draw: Random) -> str:
    text = calendar.TextCalendar()
    first, months = draw.randrange(1990, 2030), range(1, draw.randrange(5, 13))
    return "\n".join(text.formatmonth(first, month) for month in months)


def dna(draw: Random) -> str:
    unit = "".join(draw.choices("ACGT", k=draw.randrange(3, 7)))
    parts = ["".join(draw.choices("ACGT", k=draw.randrange(100, 300))) for _ in range(3)]
    whole = (unit * draw.randrange(5, 15)).join(parts)
    return ">sequence 1, with a tandem repeat\n" + "\n".join(
        whole[i : i + 60] for i in range(0, len(whole), 60)
    )


def xml(draw: Random) -> str:
    return (
        "<catalog>\n"
        + "\n".join(
            f'  <book id="bk{100 + i}">\n    <author>{draw.choice(NAMES)}</author>\n'
            f"    <title>{draw.choice(WORDS).title()} and {draw.choice(WORDS)}</title>\n"
            f"    <price>{draw.randrange(5, 60)}.95</price>\n  </book>"
            for i in range(draw.randrange(8, 18))
        )
        + "\n</catalog>"
    )


def sql(draw: Random) -> str:
    return "\n".join(
        "INSERT INTO orders (id, customer, item, quantity) VALUES "
        f"({i}, '{draw.choice(NAMES)}', '{draw.choice(WORDS)}', {draw.randrange(1, 20)});"
        for i in range(1, draw.randrange(20, 45))
    )


def yaml(draw: Random) -> str:
    return "services:\n" + "\n".join(
        f"  {name}:\n    image: registry.example.com/{name}:1.{draw.randrange(9)}\n"
        f'    restart: always\n    ports:\n      - "{8000 + i}:80"\n    environment:\n'
        f"      - LOG_LEVEL=info\n      - NAME={name}"
        for i, name in enumerate(draw.sample(WORDS, draw.randrange(8, 18)))
    )


def equal_lines(draw: Random) -> str:
    line = draw.choice((
        "WARNING lock /var/lock/{w} is held by another process, waiting",
        "connect to {w}.example.com port 443 failed: Connection timed out",
        "Retrying (Retry(total={n}, connect=None, read=None)) after connection broken by {w}",
        "  at com.example.{w}.Tree.walk(Tree.java:{n})",
        "error: {w}.o: undefined reference to `{w}_init'",
    )).format(w=draw.choice(WORDS), n=draw.randrange(9, 99))  # fmt: skip
    blocks = []
    for _ in range(draw.randrange(3, 7)):
        blocks += [line] * draw.randrange(2, 5)
        blocks.append(f"{draw.choice(WORDS)}: {draw.choice(WORDS)} {draw.randrange(999)} done")
    return "\n".join(blocks)


def equal_rows(draw: Random) -> str:
    row = draw.choice(
        ("| 0 | 0 | 0 |", "| - | - |", "| yes | no |", "|   |   |   |   |", "0,0,0,0")
    )
    rows = draw.randrange(10, 25)
    return f"| {' | '.join(draw.sample(WORDS, row.count('|') or 4))} |\n" + f"{row}\n" * rows


def zero_table(draw: Random) -> str:
    cell = draw.choice(("0x00, ", "0, ", "0.0f, ", "NULL, "))
    size = draw.randrange(4, 9)
    return f"static int {draw.choice(WORDS)}[] = {{\n" + f"    {cell * 8}\n" * size + "};"


def recursion(draw: Random) -> str:
    w = draw.choice(WORDS)
    return (
        f'Traceback (most recent call last):\n  File "{w}.py", line 9, in <module>\n'
        + (f'  File "{w}.py", line 4, in {w}\n    return {w}(n - 1) + {w}(n - 2)\n' * 3)
        + "  [Previous line repeated 996 more times]\nRecursionError: maximum depth exceeded"
    )


DATA = (
    equal_lines, equal_rows, zero_table, recursion,
    csv_table, json_users, json_defaults, markdown_table, server_log, heartbeat_log, retries,
    access_log, hex_dump, base64_text, pytest_output, parametrized_tests, dots, training_log,
    progress_bar, ping, ls, make_output, diff, bytecode, year, dna, xml, sql, yaml,
)  # fmt: skip
