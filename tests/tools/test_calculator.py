import re
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.errors import ToolError
from qwq_gguf.tools import TOOLS, Calculator, tools_named
from qwq_gguf.tools.arithmetic import evaluate, plain


def run(expression: object) -> str:
    return Calculator().run({"expression": expression})


@pytest.mark.parametrize(
    "expression, value",
    [
        ("3394*35979", "122112726"),
        ("7 * 43", "301"),
        ("12*(3+4)", "84"),
        ("2+3*4-5", "9"),
        ("10-4-3", "3"),
        ("100/8/2", "6.25"),
        ("2^3^2", "512"),
        ("2**-2", "0.25"),
        ("-2^2", "-4"),
        ("(-2)^2", "4"),
        ("--3", "3"),
        ("7//2", "3"),
        ("-7//2", "-4"),
        ("-7 % 3", "2"),
        ("1/3", "0.33333333333333333333"),
        ("2/3", "0.66666666666666666667"),
        ("0.1+0.2", "0.3"),
        ("-1/8", "-0.125"),
        ("1,234,567+1", "1234568"),
        (".5*4", "2"),
        ("5.*2", "10"),
        ("1.5e3", "1500"),
        ("3 \u00d7 4 \u00f7 6 \u2212 1", "1"),
        ("3394x35979=", "122112726"),
        ("0^0", "1"),
        ("0^5", "0"),
        ("(-1)^99999999999", "-1"),
        ("(-1)^100000000000", "1"),
        ("(-1)^-3", "-1"),
        ("1^-99999999999", "1"),
        (42, "42"),
        (2.5, "2.5"),
    ],
)
def test_values(expression: object, value: str) -> None:
    assert run(expression) == value


@pytest.mark.parametrize(
    "expression, complaint",
    [
        ("1/0", "division by zero"),
        ("1%0", "division by zero"),
        ("1//(2-2)", "division by zero"),
        ("0^-1", "division by zero"),
        ("9**9**9", "too large"),
        ("9**9999999999999", "too large"),
        ("1e9999", "too large"),
        ("(" * 60 + "1" + ")" * 60, "nested too deeply"),
        ("-" * 900 + "1", "nested too deeply"),
        ("1" * 1001, "longer than"),
        ("2^0.5", "not a whole number"),
        ("", "ends too early"),
        ("2+", "ends too early"),
        ("(2", "closing parenthesis"),
        ("2)", "unexpected ')'"),
        ("2 3", "unexpected '3'"),
        ("*2", "unexpected '*'"),
        ("__import__('os')", "cannot read"),
        ("2+a", "cannot read"),
        ("1,23+4", "cannot read"),
        ("\u0663*2", "cannot read"),
        (None, "missing"),
        (True, "missing"),
        (["1"], "missing"),
    ],
)
def test_refusals_are_sentences_for_the_model(expression: object, complaint: str) -> None:
    with pytest.raises(ToolError, match=re.escape(complaint)):
        run(expression)


def test_products_that_grow_are_stopped_early() -> None:
    started = time.monotonic()
    with pytest.raises(ToolError, match="too large"):
        evaluate("*".join(["(9^3000)"] * 100))
    assert time.monotonic() - started < 1


_leaf = st.integers(0, 999).map(str)


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner)
    return pair.map("".join) | inner.map(lambda e: f"({e})") | inner.map(lambda e: f"-({e})")


@given(st.recursive(_leaf, _grow, max_leaves=12))
def test_integers_agree_with_python(expression: str) -> None:
    assert evaluate(expression) == eval(expression)  # made here, of digits and signs only


@given(st.fractions(max_denominator=10**6))
def test_plain_text_reads_back(value: Fraction) -> None:
    text = plain(value)
    assert abs(Fraction(text) - value) <= abs(value) / 10**19


def test_tools_by_name() -> None:
    assert [tool.spec.name for tool in tools_named(["calculator", "calculator"])] == ["calculator"]
    with pytest.raises(ToolError) as caught:
        tools_named(["browser"])
    assert caught.value.expected == f"{', '.join(TOOLS)}, or FILE.py:FUNCTION"
