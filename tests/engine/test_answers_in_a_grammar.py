"""The demo model thinks freely and answers inside a grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwq_gguf.chat.events import Finished, FinishReason, Reply
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.model import Model
from qwq_gguf.profiles import Profile, load_profile
from support.demo import make_demo
from support.tiny_gguf import TEMPLATE, byte_level, vocab, write_bigram

QUESTIONS = ("What is 7*43?", "What is 12+34?", "What is 90-17?")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    with Model.load(make_demo(tmp_path_factory.mktemp("demo")), threads=1) as model:
        yield model


def ask(model: Model, profile: Profile, question: str, seed: int) -> Reply:
    conversation = Conversation(model, profile, seed=seed)
    *_, last = conversation.stream(question)
    conversation.close()
    assert isinstance(last, Finished)
    return last.reply


@pytest.mark.parametrize(
    "grammar, pattern",
    [
        ('root ::= "yes" | "no"', "yes|no"),
        ("root ::= [0-9]+", "[0-9]+"),
        ('root ::= "\\\\boxed{" [0-9]{1,6} "}"', r"\\boxed\{[0-9]{1,6}\}"),
    ],
)
def test_the_thought_is_free_and_the_answer_is_a_text_of_the_grammar(
    demo: Model, grammar: str, pattern: str
) -> None:
    free = load_profile("qwq")
    bound = free.with_overrides(grammar=grammar)
    for seed, question in enumerate(QUESTIONS):
        reply = ask(demo, bound, question, seed)
        assert reply.finish_reason is FinishReason.STOP
        assert re.fullmatch(pattern, reply.answer), reply.answer
        # Word for word what it thinks without the grammar.
        assert reply.thinking == ask(demo, free, question, seed).thinking
        assert reply.thinking_tokens > 10


def test_a_grammar_of_the_model_s_own_kind_changes_nothing(demo: Model) -> None:
    free = load_profile("qwq")
    usual = r'''root ::= [0-9*+-]+ " = \\boxed{" [0-9]+ "}"'''
    bound = free.with_overrides(grammar=usual)
    for seed, question in enumerate(QUESTIONS):
        assert ask(demo, bound, question, seed).answer == ask(demo, free, question, seed).answer


def test_a_grammar_for_the_whole_reply_leaves_no_thought(demo: Model) -> None:
    bound = load_profile("qwq").with_overrides(
        grammar='root ::= "so\\n</think>42"', grammar_scope="reply"
    )
    reply = ask(demo, bound, QUESTIONS[0], 1)
    assert (reply.thinking, reply.answer) == ("so", "42")


def test_a_model_that_opens_its_thought_itself_may_do_so(tmp_path: Path) -> None:
    # As Qwen3 does: the prompt ends before the opening tag.
    path = write_bigram(
        tmp_path / "opens.gguf",
        {
            byte_level(b"\n"): "<think>",
            "<think>": "hm",
            "hm": "</think>",
            "</think>": "n",
            "n": "a",
        },
        words=vocab(["hm"]),
        keys={"tokenizer.chat_template": TEMPLATE.replace("<think>\\n", "")},
    )
    profile = load_profile("qwen3-thinking")
    with Model.load(path, threads=1) as model:
        free = ask(model, profile, "?", 1)
        assert (free.thinking, free.answer) == ("hm", "na")
        bound = ask(model, profile.with_overrides(grammar='root ::= "yes" | "no"'), "?", 1)
        assert (bound.thinking, bound.answer) == ("hm", "no")
        # Whoever has begun to answer opens no thought any more.
        late = profile.with_overrides(grammar='root ::= "\\n" "x"', grammar_scope="reply")
        assert ask(model, late, "?", 1).answer == "x"
