"""The grader `code`: the last block of code in an answer, run against tests.

It runs where programs of a model run: in a child that can compute and print, and nothing else
(confinement/). What its functions return and its programs print is compared here, not there.
"""

from __future__ import annotations

import json
import math
import re
import secrets
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from qwq_gguf.confinement import Ended, Limits, Ran, run_confined
from qwq_gguf.errors import EvaluationError, ToolError
from qwq_gguf.evaluation.questions import Grade

__all__ = ["code_in", "grade_code", "why_not_run"]

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]{0,40})")
_CODE = re.compile(r"^(?:def|import|from|class|print|for|while|\w{1,40} ?=)", re.M)
_LANGUAGES = ("", "python", "py", "python3")
_SECONDS, _MOST_SECONDS = 10, 120
_OUTPUT = 16 << 20
# Runs in the child. What the answer prints is kept apart from what the harness says.
_HARNESS = """
import io, json, sys
asked = json.loads({asked!r})
real = sys.stdout
def ran(call, given=""):
    sys.stdin = io.TextIOWrapper(io.BytesIO(given.encode()), "utf-8")
    sys.stdout = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    try:
        result, error = call(), None
    except SystemExit as end:
        result, error = None, None if end.code in (None, 0) else "SystemExit"
    except BaseException as raised:
        result, error = None, type(raised).__name__ + ": " + str(raised)[:200]
    printed = sys.stdout.buffer.getvalue().decode("utf-8", "replace")
    sys.stdout = real
    return result, error, printed
def names():
    def opened(file, *more, **named):
        return sys.stdin if file == 0 else open(file, *more, **named)
    return {{"__name__": "__main__", "open": opened, "exit": sys.exit, "quit": sys.exit}}
def tell(told):
    real.write(asked["mark"] + json.dumps(told, default=repr) + "\\n")
    real.flush()
try:
    code = compile(asked["code"], "<answer>", "exec")
except BaseException as raised:
    tell({{"error": type(raised).__name__}})
    sys.exit(1)
if asked["entry"] is None:
    for test in asked["tests"]:
        result, error, printed = ran(lambda: exec(code, names()), test)
        tell({{"error": error, "printed": printed}})
if asked["entry"] is not None or asked["asserts"]:
    scope = names()
    scope["__name__"] = "answer"
    result, error, printed = ran(lambda: exec(code, scope))
    if error:
        tell({{"error": error}})
    else:
        if asked["entry"] is not None:
            name = asked["entry"]
            within = scope.get("Solution")
            found = scope.get(name)
            if found is None and within is not None:
                found = getattr(within(), name, None)
            for test in asked["tests"]:
                given = [json.loads(line) for line in test.splitlines() if line.strip()]
                result, error, printed = ran(lambda: found(*given))
                error = error if callable(found) else "there is no " + name
                tell({{"error": error, "result": result}})
        for line in asked["asserts"]:
            result, error, printed = ran(lambda: exec(line, scope))
            tell({{"error": error}})
"""


@cache
def why_not_run() -> str | None:
    """Why no program can be run here, None where it can."""
    try:
        run_confined("", Limits(seconds=5))
    except ToolError as error:
        return f"programs cannot be confined: {error.found}"
    return None


def code_in(answer: str) -> str | None:
    """The last fenced block of Python in `answer`, or all of it if it has no fence but code.

    A block whose fence is not closed goes to the end, as an answer does that was cut off.
    """
    blocks: list[str] = []
    lines: list[str] = []
    fence = language = ""
    for line in answer.splitlines(keepends=True):
        found = _FENCE.match(line)
        if fence and found and found[1] == fence and not line[found.end(1) :].strip():
            if language in _LANGUAGES:
                blocks.append("".join(lines))
            fence = ""
        elif fence:
            lines.append(line)
        elif found:
            fence, language, lines = found[1], found[2].lower(), []
    if fence and language in _LANGUAGES and lines:
        blocks.append("".join(lines))
    if blocks:
        return blocks[-1]
    return answer if _CODE.search(answer) else None


def grade_code(expected: dict[str, Any], answer: str) -> Grade:
    """Run the code of `answer` against all tests; it is right if it passes every one.

    EvaluationError where programs cannot be confined: then none is run.
    """
    code = code_in(answer)
    if code is None:
        return Grade(False, None, "there is no code")
    code = expected.get("setup", "") + "\n" + code
    tests, asserts = expected.get("tests", []), expected.get("asserts", [])
    mark = secrets.token_hex(16)
    asked = {
        "mark": mark, "code": code, "entry": expected.get("entry"), "asserts": asserts,
        "tests": [test["input"] for test in tests],
    }  # fmt: skip
    seconds = min(int(expected.get("seconds", _SECONDS)), _MOST_SECONDS)
    try:
        ran = run_confined(
            _HARNESS.format(asked=json.dumps(asked)), Limits(seconds=seconds, output=_OUTPUT)
        )
    except ToolError as error:
        raise EvaluationError(
            "answers with code cannot be graded here, because programs cannot be confined",
            found=error.found,
            hint="leave out the questions that want code",
        ) from None
    told = [
        json.loads(line[len(mark) :]) for line in ran.output.splitlines() if line.startswith(mark)
    ]
    why = _why_wrong(told, expected.get("entry"), tests, asserts, ran)
    return Grade(why is None, code, why)


def _why_wrong(
    told: list[dict[str, Any]], entry: str | None, tests: list[Any], asserts: list[str], ran: Ran
) -> str | None:
    for number, said in enumerate(told):
        name = f"test {number + 1}"
        if said["error"] is not None:
            return f"{name}: {said['error']}"
        if number >= len(tests):
            continue
        wanted = tests[number]["output"]
        if entry is None and not _same_output(said["printed"], wanted):
            return f"{name}: printed {said['printed'][:80]!r}"
        if entry is not None and not _same_value(said["result"], json.loads(wanted)):
            return f"{name}: returned {str(said['result'])[:80]}"
    if len(told) < len(tests) + len(asserts) or not told:
        ends = {Ended.TIME: "it took too long", Ended.OUTPUT: "it printed too much"}
        return ends.get(ran.ended, f"it ended early {ran.signal}".strip())
    return None


def _same_output(printed: str, wanted: str) -> bool:
    """Line by line without blanks at their ends; numbers by value."""
    one, two = (
        [line.rstrip() for line in text.rstrip().splitlines()] for text in (printed, wanted)
    )
    if one == two:
        return True
    a, b = printed.split(), wanted.split()
    return len(one) == len(two) and len(a) == len(b) and all(map(_same_word, a, b))


def _same_word(a: str, b: str) -> bool:
    if a == b:
        return True
    try:
        return abs(Decimal(a) - Decimal(b)) <= Decimal("1e-6")
    except InvalidOperation:
        return False


def _same_value(got: Any, wanted: Any) -> bool:
    if isinstance(got, bool) or isinstance(wanted, bool):
        return got is wanted
    if isinstance(got, int | float) and isinstance(wanted, int | float):
        return got == wanted or math.isclose(got, wanted, rel_tol=1e-6)
    if isinstance(got, list) and isinstance(wanted, list):
        return len(got) == len(wanted) and all(map(_same_value, got, wanted))
    if isinstance(got, dict) and isinstance(wanted, dict):
        return got.keys() == wanted.keys() and all(_same_value(got[k], wanted[k]) for k in got)
    return bool(got == wanted)
