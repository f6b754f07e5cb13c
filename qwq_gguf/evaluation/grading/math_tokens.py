r"""Formulas as people and models write them, LaTeX or plain, cut into tokens. Pure.

Tokens are pairs of a kind and a text: "number", "name" (a symbol), "function", "frac", "sqrt",
"binom", "matrix" and "end" (of one), "word" (a comma or "and" that joins), and signs by themselves.
"""

from __future__ import annotations

import re

__all__ = ["MOST_CHARACTERS", "Unreadable", "tokens_of"]

MOST_CHARACTERS = 2_000
_MOST_TOKENS = 800
_MOST_DIGITS = 400


class Unreadable(ValueError):
    """A text that is no formula, or one beyond the bounds."""


_FUNCTIONS = frozenset(
    """
    sin cos tan cot sec csc arcsin arccos arctan asin acos atan sinh cosh tanh log ln exp abs
    """.split()  # noqa: SIM905  a list of quoted words is harder to read
)
_GREEK = frozenset(
    """
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi
    rho sigma tau phi varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega ell
    """.split()  # noqa: SIM905
)
_NAMES = {"pi": "pi", "infty": "oo", "infinity": "oo", "inf": "oo", "oo": "oo"}
_SIGNS = {
    "cdot": "*", "times": "*", "ast": "*", "div": "/", "pm": "±", "mp": "±", "le": "<=",
    "leq": "<=", "leqslant": "<=", "ge": ">=", "geq": ">=", "geqslant": ">=", "lt": "<",
    "gt": ">", "ne": "!=", "neq": "!=", "cup": "∪", "in": "∈", "degree": "°", "circ": "°",
    "lbrace": "{set", "rbrace": "}set", "lvert": "|", "rvert": "|", "vert": "|", "mid": "|",
    "lbrack": "[", "rbrack": "]", "approx": "=", "to": "=", "langle": "(", "rangle": ")",
    "emptyset": "∅", "varnothing": "∅",
}  # fmt: skip
_CHARACTERS = {
    "×": "*", "·": "*", "⋅": "*", "∙": "*", "÷": "/", "−": "-", "–": "-", "≤": "<=", "≥": ">=",
    "≠": "!=", "±": "±", "∪": "∪", "∈": "∈", "°": "°", "∅": "∅",
}  # fmt: skip
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_DROPPED = re.compile(
    r"\\(?:left|right|displaystyle|textstyle|limits|quad|qquad|[bB]igg?[lr]?|mathrm|mathbf|mathit"
    r"|mathbb|mathcal|operatorname|boldsymbol|bf|rm|hline|overline|underline)"
    r"(?![a-zA-Z])|(?<!\\)\\[!,;: ()\[\]]|~|\$|`|\*\*(?!\s*[\d({-])|&nbsp;"
)
_WORDS = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|mbox)\s*\{([^{}]{0,200})\}|\\mathrm\s*\{(\w{2,20})\}"
)
_JOINING = re.compile(r"\s*(?:,\s*)?\b(?:and|or)\b\s*", re.IGNORECASE)
_TOKEN = re.compile(
    r"""(?P<grouped>\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?)
      | (?P<number>\d+\.?\d*|\.\d+)
      | \\begin\s*\{(?P<begin>[a-z]*matrix|array)\}(?:\s*\{[lcr|\s]{0,40}\})?
      | \\end\s*\{(?P<end>[a-z]*matrix|array)\}
      | \\(?P<command>[a-zA-Z]+)
      | (?P<row>\\\\)
      | \\(?P<escaped>[{}%|&\#_])
      | (?P<letters>[a-zA-Z]+)
      | (?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)
      | (?P<sign>\*\*|<=|>=|!=|==|[-+*/^_=<>!|()\[\]{},;&%'])
      | (?P<other>\S)""",
    re.VERBOSE,
)


def tokens_of(text: str) -> list[tuple[str, str]]:
    """The tokens of a formula; Unreadable where something in it is none."""
    if len(text) > MOST_CHARACTERS:
        raise Unreadable("too long")
    text = text.replace("{,}", "").replace("\\!", "").replace("\\&", " ")
    text = _WORDS.sub(lambda word: _joined(word[1] or ""), text)
    text = _JOINING.sub(" , ", _DROPPED.sub(" ", text)).strip().rstrip(".;, ")
    found: list[tuple[str, str]] = []
    depth = 0
    for match in _TOKEN.finditer(text):
        made = _read(match, depth)
        for kind, _ in made:
            depth += kind in ("(", "[", "{", "{set", "matrix")
            depth -= kind in (")", "]", "}", "}set", "end")
        found += made
        if len(found) > _MOST_TOKENS:
            raise Unreadable("too many parts")
    return found


def _joined(words: str) -> str:
    """What a text within a formula says to it: only that something goes on."""
    return " , " if words.strip().lower() in ("and", "or", ",") else " "


def _read(match: re.Match[str], depth: int) -> list[tuple[str, str]]:
    kind, text = str(match.lastgroup), match[str(match.lastgroup)]
    match kind:
        case "grouped":
            if depth:  # within brackets a comma parts
                pieces: list[tuple[str, str]] = []
                for piece in text.split(","):
                    pieces += [(",", ","), ("number", piece)]
                return pieces[1:]
            return [_number(text.replace(",", ""))]
        case "number":
            return [_number(text)]
        case "begin":
            return [("matrix", text)]
        case "row":
            return [("row", text)]
        case "command":
            return [_command(text)]
        case "escaped":
            return [({"{": "{set", "}": "}set"}.get(text, text), text)]
        case "letters":
            return _letters(text)
        case "raised":
            return [("^", "^"), ("{", "{"), *_raised(text), ("}", "}")]
        case "other":
            return [_character(text)]
        case "sign":
            sign = {"**": "^", "==": "="}.get(text, text)
            return [(sign, sign)]
    return [(kind, text)]


def _number(text: str) -> tuple[str, str]:
    if len(text) > _MOST_DIGITS:
        raise Unreadable("a number of too many digits")
    return ("number", text)


def _raised(text: str) -> list[tuple[str, str]]:
    digits = text.translate(_RAISED)
    sign = [("-", "-")] if digits.startswith("-") else []
    return [*sign, _number(digits.lstrip("-") or "0")]


def _command(name: str) -> tuple[str, str]:
    if name in ("frac", "dfrac", "tfrac", "cfrac"):
        return ("frac", name)
    if name in ("sqrt", "binom", "dbinom", "tbinom"):
        return (name[-5:] if name.endswith("binom") else name, name)
    if name in _SIGNS:
        return (_SIGNS[name], name)
    if name in _FUNCTIONS:
        return ("function", name)
    if name in _NAMES:
        return ("name", _NAMES[name])
    if name in _GREEK:
        return ("name", name)
    raise Unreadable(f"\\{name} is not known")


def _character(text: str) -> tuple[str, str]:
    if text in _CHARACTERS:
        return (_CHARACTERS[text], text)
    match text:
        case "π":
            return ("name", "pi")
        case "∞":
            return ("name", "oo")
        case "√":
            return ("sqrt", text)
    if text.isalpha() and text in "αβγδεθλμσφω":
        return ("name", text)
    raise Unreadable(f"{text} is not known")


def _letters(text: str) -> list[tuple[str, str]]:
    low = text.lower()
    if low == "sqrt":
        return [("sqrt", low)]
    if low in _FUNCTIONS:
        return [("function", low)]
    if low in _NAMES:
        return [("name", _NAMES[low])]
    if low in ("degrees", "degree", "deg"):
        return [("°", low)]
    if len(text) > 3:
        raise Unreadable(f"{text} is a word")
    return [("name", letter) for letter in text]
