"""Logit biases and grammars: what llama.cpp does with them, beside the reference.

The grammar's own judge is a recogniser in plain Python; tests/sampling/test_gbnf.py holds it
against regular expressions.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.engine.llama.native_chain import NativeChain
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.errors import ChainError, ModelError
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
)
from qwq_gguf.sampling.reference import Situation, apply_chain
from support.tiny_gguf import byte_level, vocab, write_bigram, write_random

WORDS = 'root ::= ("the" | "thin" | "ing" [a-z]{2} | "-"{3,40}) ("." | "é" "!"?)'
JSON = r"""root ::= "{" (pair ("," pair)*)? "}"
pair ::= text ":" (text | number | root)
text ::= "\"" [^"\\\x00-\x1f]{0,5} "\""
number ::= "-"? [0-9]{1,3}
"""
# Its long tokens are too many ways for llama.cpp: they are read by ourselves.
AMBIGUOUS = """root ::= ("-"+ "="? | the+ " "?)+ "."
the ::= "the" | "t" "he" | "th" "e"
"""
GRAMMARS = [
    'root ::= "yes" | "no"',
    "root ::= [0-9]+",
    "root ::= .{0,7}",
    'root ::= [^"]+ "é"? [^-]',
    WORDS,
    JSON,
    AMBIGUOUS,
]


def drawn(seed: int, size: int, scale: float = 3.0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, scale, size).astype(np.float32)


def native(model: Model, chain: SamplerChain, **options: object) -> NativeChain:
    return NativeChain.of(model, chain, seed=5, **options)  # type: ignore[arg-type]


def pieces(model: Model) -> list[bytes]:
    return [model.piece(token) for token in range(model.vocab_size)]


def agree(model: Model, chain: SamplerChain, logits: npt.NDArray[np.float32]) -> None:
    expected = apply_chain(chain, logits, Situation(generated=[1, 2])).as_dict()
    with native(model, chain) as built:
        for token in (1, 2):
            built.accept(token)
        picked = built.apply(logits.tolist())
    if isinstance(chain.stages[-1], Greedy):
        assert expected == {picked.token: 1.0}
        return
    got = {token: p for token, p in picked.kept if p > 0}
    for token in expected.keys() | got.keys():
        assert got.get(token, 0.0) == pytest.approx(expected.get(token, 0.0), rel=2e-4, abs=2e-6)


def test_what_is_forbidden_on_the_way_is_not_picked_any_more(model: Model) -> None:
    logits = drawn(3, model.vocab_size).tolist()
    best, second, third = sorted(range(model.vocab_size), key=lambda token: -logits[token])[:3]
    chain = SamplerChain((TypicalP(0.99), TopK(2), Greedy()))
    with native(model, chain) as built:
        assert built.apply(logits).token == best
        built.forbid([best])
        assert built.apply(logits).token == second
        built.forbid([best, second])
        assert built.apply(logits).token == third
        built.forbid([])
        assert built.apply(logits).token == best


def test_a_generation_goes_another_way_than_the_forbidden_one(model: Model) -> None:
    session = Session(model)
    greedy = SamplerChain((Greedy(),))
    usual = [token for token, _ in session.generate([5, 6], greedy, seed=1, max_tokens=4)]
    generation = session.generate([5, 6], greedy, seed=1, max_tokens=4)
    said = [next(generation).token]
    generation.forbid([usual[1]])
    said += [token for token, _ in generation]
    assert said[0] == usual[0]
    assert usual[1] not in said[1:]
    generation = session.generate([5, 6], greedy, seed=1, max_tokens=4)
    generation.forbid([usual[1]])
    generation.force([usual[1]])
    assert next(generation).token == usual[1]
    session.close()


@pytest.mark.parametrize("banned", [False, True])
@pytest.mark.parametrize("place", range(3))
def test_a_bias_at_any_place_is_what_the_reference_says(
    model: Model, place: int, banned: bool
) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        logits = drawn(seed, model.vocab_size)
        best = np.argsort(-logits)[:12].tolist()
        biases = [
            (token, float(rng.uniform(-6, 6))) for token in rng.permutation(best)[:6].tolist()
        ]
        if banned:
            biases[0] = (biases[0][0], -math.inf)
        stages: list[Stage] = [
            Penalties(presence=0.7, window="generation"),
            Temperature(0.8),
            TopK(30),
            TopP(0.9),
        ]
        stages.insert(place, LogitBias(tuple(biases)))
        agree(model, SamplerChain((*stages, Dist())), logits)
        agree(model, SamplerChain((*stages, Greedy())), logits)


def test_no_stage_after_a_ban_computes_with_what_was_banned(model: Model) -> None:
    logits = drawn(3, model.vocab_size)
    banned = LogitBias(tuple((int(token), -math.inf) for token in np.argsort(-logits)[:3]))
    for stages in (
        (banned, TypicalP(0.5)),
        (banned, TopNSigma(1.0), MinP(0.1)),
        (banned, Temperature(0.0)),
    ):
        agree(model, SamplerChain((*stages, Dist())), logits)


def test_tokens_are_named_by_their_text_too(model: Model) -> None:
    logits = drawn(1, model.vocab_size)
    ids = {text: model.vocabulary.only_token(text) for text in (" the", "</think>", "a")}
    assert model.piece(ids[" the"]) == b" the"
    assert ids["</think>"] == model.token_id("</think>")
    by_text = SamplerChain((LogitBias(tuple((text, 20.0) for text in ids)), Dist()))
    by_id = SamplerChain((LogitBias(tuple((token, 20.0) for token in ids.values())), Dist()))
    with native(model, by_text) as one, native(model, by_id) as other:
        assert one.apply(logits.tolist()) == other.apply(logits.tolist())


@pytest.mark.parametrize(
    "biases, reason",
    [
        (((10**6, 1.0),), "does not have"),
        ((("the end", 1.0),), "is not one token"),
        ((("é", 1.0),), "is not one token"),
    ],
)
def test_a_bias_of_no_token_is_refused(
    model: Model, biases: tuple[tuple[int | str, float], ...], reason: str
) -> None:
    with pytest.raises(ChainError, match=reason):
        native(model, SamplerChain((LogitBias(biases), Dist())))


def test_one_token_named_in_two_ways_is_refused(model: Model) -> None:
    twice = LogitBias((("a", 1.0), (model.vocabulary.only_token("a"), 2.0)))
    with pytest.raises(ChainError, match="stands twice"):
        native(model, SamplerChain((twice, Dist())))


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("text", GRAMMARS)
def test_step_by_step_a_grammar_allows_what_the_reference_allows(
    model: Model, text: str, place: int
) -> None:
    stages: list[Stage] = [Temperature(0.9), LogitBias(((0x41, 2.0),))]
    stages.insert(place, Grammar(text))
    chain = SamplerChain((*stages, TopK(20), Dist()))
    known, ends = pieces(model), model.eog_tokens
    for seed in range(3):
        read: list[int] = []
        with native(model, chain) as built:
            for step in range(12):
                logits = drawn(100 * seed + step, model.vocab_size)
                situation = Situation(pieces=known, ends=ends, bound=read)
                expected = apply_chain(chain, logits, situation).as_dict()
                picked = built.apply(logits.tolist())
                got = {token: p for token, p in picked.kept if p > 0}
                assert got.keys() == expected.keys()
                for token, probability in expected.items():
                    assert got[token] == pytest.approx(probability, rel=2e-4, abs=2e-6)
                if picked.token in ends:
                    break
                built.accept(picked.token)
                read.append(picked.token)


@pytest.mark.parametrize(
    "text, pattern",
    [
        ('root ::= "yes" | "no"', "yes|no"),
        ("root ::= [0-9]{1,4}", "[0-9]{1,4}"),
        ('root ::= "ans" "wer: "? ([a-f] | "é"){3}', "answer: [a-fé]{3}|ans[a-fé]{3}"),
    ],
)
@pytest.mark.parametrize("final", [Dist(), Greedy()])
def test_what_is_generated_is_a_text_of_the_grammar(
    model: Model, text: str, pattern: str, final: Stage
) -> None:
    session = Session(model)
    chain = SamplerChain((Grammar(text), Temperature(2.0), final))
    for seed in range(6):
        generation = session.generate([1, 2, 3], chain, seed=seed, max_tokens=60)
        written = b"".join(piece for _, piece in generation).decode()
        assert generation.finish_reason is FinishReason.STOP
        assert re.fullmatch(pattern, written), written
    session.close()


def test_greedy_takes_the_best_of_what_the_grammar_allows_at_each_step(model: Model) -> None:
    chain = SamplerChain((Grammar(JSON), Greedy()))
    session, known = Session(model), pieces(model)
    read: list[int] = []
    for token, _ in session.generate([7, 8], chain, seed=0, max_tokens=40):
        situation = Situation(pieces=known, ends=model.eog_tokens, bound=read)
        assert apply_chain(chain, session.logits(), situation).as_dict() == {token: 1.0}
        read.append(token)
    assert read
    session.close()


def test_a_grammar_waits_for_the_answer(model: Model) -> None:
    session = Session(model)
    chain = SamplerChain((Grammar('root ::= "yes" | "no"'), Temperature(3.0), Dist()))
    free = SamplerChain((Temperature(3.0), Dist()))
    generation = session.generate([1], chain, seed=4, max_tokens=80)
    generation.expect_thought(None, begun=True)
    thought: list[int] = []
    answer = b""
    for token, piece in generation:
        if len(thought) < 20:
            thought.append(token)
            if len(thought) == 20:
                generation.begin_answer()
        else:
            answer += piece
    # The thought is what it would have been without; line ends may open the answer.
    assert thought == [t for t, _ in session.generate([1], free, seed=4, max_tokens=20)]
    assert re.fullmatch(rb"\n{0,4}(yes|no)", answer)
    # With the scope "reply" nothing waits.
    bound = SamplerChain((Grammar('root ::= "yes" | "no"', scope="reply"), Dist()))
    generation = session.generate([1], bound, seed=4, max_tokens=80)
    generation.expect_thought(None, begun=True)
    assert b"".join(piece for _, piece in generation) in (b"yes", b"no")
    session.close()


def test_a_thought_may_be_opened_first(model: Model) -> None:
    opening = model.token_id("<think>")
    assert opening is not None
    chain = SamplerChain((Grammar("root ::= [0-9]"), Dist()))
    logits = drawn(2, model.vocab_size)
    with native(model, chain) as built:
        built.expect_thought(opening, begun=False)
        kept = {token for token, p in built.apply(logits.tolist()).kept}
        assert {model.piece(token) for token in kept} == {
            b"<think>",
            *(b"%d" % n for n in range(10)),
        }
        built.accept(opening)
        assert len(built.apply(logits.tolist()).kept) == model.vocab_size
        built.begin_answer()
        kept = {token for token, p in built.apply(logits.tolist()).kept}
        assert opening not in kept
        assert {model.piece(token) for token in kept} > {b"\n", b"0"}
    with native(model, chain) as built:
        built.expect_thought(opening, begun=False)
        digit = model.vocabulary.only_token("7")
        built.accept(digit)
        # The answer has begun without one: none may be opened, and this is all of it.
        assert {token for token, _ in built.apply(logits.tolist()).kept} == model.eog_tokens


def test_a_text_that_is_complete_ends_where_no_token_may_follow(tmp_path: Path) -> None:
    path = write_bigram(tmp_path / "b.gguf", {"a": "b", "b": "c"}, words=vocab())
    with Model.load(path, threads=1) as model:
        session = Session(model)
        ends = LogitBias(tuple((token, -math.inf) for token in sorted(model.eog_tokens)))
        chain = SamplerChain((ends, Grammar('root ::= "bc"'), Greedy()))
        generation = session.generate(model.vocabulary.encode_text("a"), chain, seed=1)
        assert b"".join(piece for _, piece in generation) == b"bc"
        assert generation.finish_reason is FinishReason.STOP
        assert generation.end_token is None


def test_where_everything_is_forbidden_there_is_an_error_and_the_session_lives(
    model: Model,
) -> None:
    session = Session(model)
    no_digits = LogitBias(tuple((str(digit), -math.inf) for digit in range(10)))
    chain = SamplerChain((no_digits, Grammar("root ::= [0-9]+"), Dist()))
    with pytest.raises(ModelError, match="grammar leaves no token"):
        list(session.generate([1], chain, seed=1))
    everything = LogitBias(tuple((token, -math.inf) for token in range(model.vocab_size)))
    with pytest.raises(ModelError, match="logit_bias leaves no token"):
        list(session.generate([1], SamplerChain((everything, Dist())), seed=1))
    free = SamplerChain((Dist(),))
    assert len(list(session.generate([1], free, seed=1, max_tokens=3))) == 3
    session.close()


def test_a_token_that_the_grammar_forbids_never_reaches_llama_cpp(model: Model) -> None:
    with (
        native(model, SamplerChain((Grammar("root ::= [0-9]"), Dist()))) as built,
        pytest.raises(ModelError, match="does not allow this token"),
    ):
        built.accept(model.vocabulary.only_token("x"))


def test_a_grammar_with_exponentially_many_readings_ends_in_an_error(tmp_path: Path) -> None:
    path = write_bigram(tmp_path / "b.gguf", {"a": "a"}, words=vocab())
    text = 'root ::= "a" root "b" | "a" root "c" | ""'
    with Model.load(path, threads=1) as model:
        session = Session(model)
        a = model.vocabulary.encode_text("a")
        with pytest.raises(ChainError, match="too many ways"):
            list(session.generate(a, SamplerChain((Grammar(text), Greedy())), seed=1))


def test_a_long_token_of_very_many_readings_is_tried_without_end_by_nobody(
    tmp_path: Path,
) -> None:
    # llama.cpp would try the last of these in 2 ** 60 ways.
    words = vocab(["-" * 30 + ".", "-" * 60 + "x"])
    path = write_random(tmp_path / "long.gguf", words=words)
    chain = SamplerChain((Grammar('root ::= ("-"+ "="?)+ "."'), Dist()))
    with Model.load(path, threads=1) as model, native(model, chain) as built:
        kept = {model.piece(t) for t, _ in built.apply([0.0] * model.vocab_size).kept}
        assert kept == {b"-" * size for size in (1, 2, 4, 8, 16, 32, 64)} | {b"-" * 30 + b"."}
        built.accept(words.tokens.index("-" * 64))
        kept = {model.piece(t) for t, _ in built.apply([0.0] * model.vocab_size).kept}
        assert kept > {b"=", b".", b"-" * 64, b"-" * 30 + b"."}
        assert b"-" * 60 + b"x" not in kept


def test_a_vocabulary_with_an_absurdly_long_token_has_no_grammars(tmp_path: Path) -> None:
    words = vocab(["x" * 2000])
    path = write_random(tmp_path / "long.gguf", words=words)
    assert byte_level(b"x" * 2000) in words.tokens
    with Model.load(path, threads=1) as model, pytest.raises(ModelError, match="too long"):
        native(model, SamplerChain((Grammar('root ::= "x"+'), Dist())))


def test_a_chain_without_anything_forbidden_is_one_native_call(model: Model) -> None:
    chain = SamplerChain((LogitBias(((1, 2.0),)), Grammar(""), TopK(5), Dist()))
    with native(model, chain) as built:
        assert built.names()[0] == "logit-bias"
        assert len(built.names()) == 3
