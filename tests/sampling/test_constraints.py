"""The stages that favour or forbid single tokens, and where they may stand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qwq_gguf.errors import ChainError
from qwq_gguf.sampling import (
    Dist,
    Grammar,
    Greedy,
    LogitBias,
    MinP,
    Penalties,
    SamplerChain,
    Stage,
    Temperature,
    TopK,
    TopNSigma,
    TopP,
    TypicalP,
    Xtc,
)
from qwq_gguf.sampling.gbnf import parse_gbnf
from qwq_gguf.sampling.gbnf_recogniser import Recogniser
from qwq_gguf.sampling.reference import Situation, apply_chain
from qwq_gguf.sampling.stages import UNNAMED_STAGES

DIGITS = Grammar("root ::= [0-9]+")
BIAS = LogitBias(((3, 1.0),))
BAN = LogitBias(((3, -math.inf),))


@pytest.mark.parametrize(
    "biases",
    [
        [(1, 1.0)],
        ((1, 1.0), [2, 1.0]),
        ((1,),),
        ((-1, 1.0),),
        ((2**31, 1.0),),
        ((True, 1.0),),
        ((1.5, 1.0),),
        (("", 1.0),),
        (("a" * 257, 1.0),),
        (("\ud800", 1.0),),
        ((1, math.inf),),
        ((1, math.nan),),
        ((1, 1001.0),),
        ((1, True),),
        ((1, "2"),),
        ((1, None),),
        ((1, 1.0), (1, 2.0)),
        (("a", 1.0), ("a", 2.0)),
        tuple((token, 1.0) for token in range(1025)),
    ],
)
def test_biases_out_of_range_are_refused(biases: object) -> None:
    with pytest.raises(ChainError, match="logit_bias"):
        LogitBias(biases)  # type: ignore[arg-type]


def test_texts_become_ids() -> None:
    stage = LogitBias((("a", -math.inf), (7, 2)))
    assert stage.with_ids({"a": 4}.__getitem__).by_id() == {4: -math.inf, 7: 2}
    with pytest.raises(ChainError, match="stands twice"):
        stage.with_ids({"a": 7}.__getitem__)
    with pytest.raises(ChainError, match="only a vocabulary knows"):
        stage.by_id()


def test_what_is_off() -> None:
    assert LogitBias().off
    assert LogitBias(((1, 0.0), ("a", 0))).off
    assert not BIAS.off
    assert Grammar().off
    assert Grammar(" \n").off
    assert not DIGITS.off
    assert (BIAS.bans, BAN.bans) == (False, True)


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "root ::= ["},
        {"text": "root ::= [0-9]", "root": "number"},
        {"text": "root ::= [0-9]", "root": ""},
        {"text": "root ::= [0-9]", "scope": "thought"},
        {"text": 7},
    ],
)
def test_a_grammar_out_of_order_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ChainError, match="grammar"):
        Grammar(**arguments)  # type: ignore[arg-type]


def test_line_ends_may_come_before_an_answer() -> None:
    stage = Grammar('start ::= "a"\nroot ::= start start')
    recogniser = Recogniser(parse_gbnf(*stage.after_lines()))
    for text, allowed in (
        ("\n\naa", True),
        ("aa", True),
        (" aa", False),
        ("\n" * 5, False),
        ("ab", False),
    ):
        reading = recogniser.read(recogniser.begin(), text.encode())
        assert (reading is not None) is allowed, text


@pytest.mark.parametrize(
    "stages, hint",
    [
        ((TopK(40), DIGITS), "put grammar before top_k"),
        ((TopP(0.9), DIGITS), "put grammar before top_p"),
        ((Temperature(0.7), MinP(0.1), TopK(4), DIGITS), "put grammar before min_p"),
        ((TypicalP(0.9), DIGITS), "put grammar before typ_p"),
        ((TopNSigma(1.0), DIGITS), "put grammar before top_n_sigma"),
        ((Xtc(0.5, 0.1), DIGITS), "put grammar before xtc"),
        ((Temperature(0.0), DIGITS), "put grammar before temperature"),
        ((TopK(40), BIAS), "put logit_bias before top_k"),
        ((TopK(40), BAN), "put logit_bias before top_k"),
        ((Temperature(0.7, range=0.2), BIAS), "put logit_bias before temperature"),
    ],
)
def test_what_comes_too_late_is_refused(stages: tuple[Stage, ...], hint: str) -> None:
    with pytest.raises(ChainError, match="stands too late") as caught:
        SamplerChain((*stages, Dist()))
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    "stages",
    [
        (BAN, DIGITS, TopK(40)),
        (DIGITS, BIAS, Temperature(0.6), TopP(0.9)),
        (Penalties(repeat=1.1), Temperature(0.6), DIGITS, BIAS, TopK(1)),
        (TopK(0), TopP(1.0), Temperature(1.0), DIGITS, BAN),
        (TopK(40), LogitBias(), Grammar()),
        (Temperature(0.6, range=0.2), DIGITS),
    ],
)
@pytest.mark.parametrize("final", [Dist(), Greedy()])
def test_what_is_in_time_stands(stages: tuple[Stage, ...], final: Stage) -> None:
    assert SamplerChain((*stages, final)).stages[:-1] == stages


def test_two_grammars_are_refused() -> None:
    with pytest.raises(ChainError, match="grammar stands twice"):
        SamplerChain((DIGITS, Grammar('root ::= "a"'), Dist()))


def test_what_does_nothing_is_said() -> None:
    notes = SamplerChain((LogitBias(), Grammar(), Dist())).notes()
    assert [line.split(" does nothing")[0] for line in notes] == ["logit_bias", "grammar"]
    assert SamplerChain((BAN, DIGITS, Dist())).notes() == ()


def test_a_flag_brings_the_stage_along_before_all_others() -> None:
    chain = SamplerChain((Temperature(0.6), TopK(40), Dist()))
    changed = chain.with_overrides(grammar=DIGITS.text, logit_bias=((3, 1.0),), temperature=0.7)
    assert changed.stages == (BIAS, DIGITS, Temperature(0.7), TopK(40), Dist())
    again = changed.with_overrides(grammar='root ::= "a"', grammar_scope="reply")
    assert again.stages[1] == Grammar('root ::= "a"', scope="reply")
    # They have no names in the sequences of llama.cpp.
    named = [stage.name for stage in changed.stages if not isinstance(stage, UNNAMED_STAGES)]
    assert named == ["temperature", "top_k"]


def test_a_long_grammar_is_shown_in_one_line() -> None:
    text = 'root ::= "a" |\n' + " | ".join(f'"{letter}"' for letter in "bcdefghijklmnopq")
    chain = SamplerChain((LogitBias((("Wait", -math.inf), (7, 2.5))), Grammar(text), Dist()))
    shown = {row.setting: row.value for row in chain.describe()}
    assert shown["logit_bias"] == "'Wait'=-inf 7=2.5"
    assert shown["grammar"].startswith('root ::= "a" | "b" | ')
    assert shown["grammar"].endswith(" ...")
    assert len(shown["grammar"]) <= 60


def test_the_reference_adds_and_forbids() -> None:
    logits = np.log([0.5, 0.3, 0.2])
    chain = SamplerChain((LogitBias(((0, -math.inf), (2, math.log(3)))), Dist()))
    expected = {1: 0.3 / 0.9, 2: 0.6 / 0.9}
    assert apply_chain(chain, logits).as_dict() == pytest.approx(expected)


def test_the_reference_follows_a_grammar() -> None:
    situation = Situation(pieces=(b"a", b"ab", b"b", b"<end>"), ends=(3,), bound=())
    chain = SamplerChain((Grammar('root ::= "ab" "b"?'), Dist()))
    logits = np.zeros(4)
    assert apply_chain(chain, logits).as_dict().keys() == {0, 1, 2, 3}  # not in force
    for bound, allowed in (((), {0, 1}), ((0,), {2}), ((1,), {2, 3}), ((0, 2, 2), {3})):
        here = Situation(pieces=situation.pieces, ends=(3,), bound=bound)
        assert apply_chain(chain, logits, here).as_dict().keys() == allowed
    with pytest.raises(ChainError, match="does not allow what was generated"):
        apply_chain(chain, logits, Situation(pieces=situation.pieces, bound=(2,)))


def test_the_reference_says_when_nothing_is_left() -> None:
    everything = LogitBias(((0, -math.inf), (1, -math.inf)))
    with pytest.raises(ChainError, match="logit_bias leaves no token"):
        apply_chain(SamplerChain((everything, Dist())), [1.0, 2.0])
