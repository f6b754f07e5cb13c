"""How a template writes calls, taken from calls that it wrote: what stands before and after them.

Needed where a call is not only read but has to come: then a grammar has to spell it as the model
has learnt to write it, to the blank.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from qwq_gguf.chat.messages import ToolCall
from qwq_gguf.chat.tool_formats.format import ToolFormat

__all__ = ["PROBES", "CallForm", "TaggedArguments", "call_form"]

_NAME = "lookup"
_FIRST, _SECOND = ("word", "QwordQ"), ("more", "QmoreQ")

#: What a template is to write: no argument, two, and that twice.
PROBES: Mapping[str, tuple[ToolCall, ...]] = {
    "none": (ToolCall(_NAME),),
    "one": (ToolCall(_NAME, dict((_FIRST, _SECOND))),),
    "two": (ToolCall(_NAME, dict((_FIRST, _SECOND))),) * 2,
}


@dataclass(frozen=True, slots=True)
class TaggedArguments:
    """What stands before the first key, between a key and its value, and before the next key."""

    first: str
    equals: str
    following: str


@dataclass(frozen=True, slots=True)
class CallForm:
    """The texts around a call: `head`, its name, `middle`, its arguments as JSON, `tail`.

    `join` stands between the arguments of a call and the name of the next; None where one call is
    all that an answer may have. With `tagged` arguments these take the place of `middle`, `bare` is
    all behind the name where there are none, and `join` stands between two whole calls. `quote`
    stands around texts, which then are no JSON but as they are (Gemma), and with `by_name` the
    arguments come in the order of their names.
    """

    head: str
    middle: str
    tail: str
    join: str | None = None
    tagged: TaggedArguments | None = None
    bare: str = ""
    quote: str = ""
    by_name: bool = False


def call_form(form: ToolFormat, written: Mapping[str, str | None]) -> CallForm | None:
    """The form of what was written for the probes; None where they are not to be seen in it."""
    one = _cut(form, written.get("one"))
    if one is None:
        return None
    json = _JSON.fullmatch(one)
    if json is not None:
        head, middle, tail = json.groups()
        two = _cut(form, written.get("two"))
        both = None if two is None else _JSON_TWICE.fullmatch(two)
        join = None
        if both is not None and both.group(1, 2, 4, 5) == (head, middle, middle, tail):
            join = both[3]
        return CallForm(head, middle, tail, join)
    quoted = _QUOTED.fullmatch(one)
    tagged = _TAGGED.fullmatch(one) if quoted is None else None
    bare = _cut(form, written.get("none"))
    if bare is None:
        return None
    if quoted is not None and {quoted["one"], quoted["two"]} == {_FIRST[0], _SECOND[0]}:
        head, first, equals = quoted["head"], quoted["first"], quoted["equals"]
        following, again, tail = quoted["following"], quoted["again"], quoted["tail"]
    elif tagged is not None:
        head, first, equals, following, again, tail = tagged.groups()
    else:
        return None
    if equals != again or not bare.startswith(head + _NAME):
        return None
    two = _cut(form, written.get("two"))
    join = None
    if two is not None and two.startswith(one) and two.endswith(one):
        join = two[len(one) : -len(one)]
    return CallForm(
        head,
        "",
        tail,
        join,
        TaggedArguments(first, equals, following),
        bare[len(head + _NAME) :],
        quote="" if quoted is None else quoted["quote"],
        by_name=quoted is not None and quoted["one"] == _SECOND[0],
    )


def _cut(form: ToolFormat, written: str | None) -> str | None:
    """From where the first call begins to where the last one ends, what stands around them too."""
    places = [at for each in form.watched if (at := (written or "").find(each)) >= 0]
    if written is None or not places:
        return None
    written = written[min(places) :]
    span = form.span(written)
    return None if span is None else written[span[0] : span[1]]


_ARGUMENTS = r'\{\s*"word"\s*:\s*"QwordQ"\s*,\s*"more"\s*:\s*"QmoreQ"\s*\}'
_JSON = re.compile(rf"(.*?){_NAME}(.*?){_ARGUMENTS}(.*)", re.DOTALL)
_JSON_TWICE = re.compile(
    rf"(.*?){_NAME}(.*?){_ARGUMENTS}(.*?){_NAME}(.*?){_ARGUMENTS}(.*)", re.DOTALL
)
_TAGGED = re.compile(rf"(.*?){_NAME}(.*?)word(.*?)QwordQ(.*?)more(.*?)QmoreQ(.*)", re.DOTALL)
# As Gemma writes texts: between two equal marks. Its template sorts arguments.
_QUOTED = re.compile(
    rf"(?P<head>.*?){_NAME}(?P<first>.*?)(?P<one>word|more)(?P<equals>[^<]*)"
    r"(?P<quote><[^<>]+>)Q(?P=one)Q(?P=quote)"
    r"(?P<following>.*?)(?P<two>word|more)(?P<again>[^<]*)(?P=quote)Q(?P=two)Q(?P=quote)(?P<tail>.*)",
    re.DOTALL,
)
