"""Several renderings of a stranger's template together take no longer than one bound."""

from __future__ import annotations

import pytest

from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.sandbox.meter import Budget
from qwq_gguf.chat.template import ChatTemplate, Limits, one_budget
from qwq_gguf.errors import TemplateError
from qwq_gguf.exporters.chatml import read_chatml
from qwq_gguf.preparation.template import check_template

HUNDRED = "{% for i in range(100) %}{% endfor %}{{ messages[0].content }}"
ASK = [Message("user", "hi")]
# ChatML to the letter, but for rounds that a single rendering may well use.
SLOW_CHATML = (
    "{% for a in range(400) %}{% for b in range(400) %}{% endfor %}{% endfor %}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content.split('</think>')[-1]"
    ".lstrip('\n') + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def test_renderings_share_steps() -> None:
    template = ChatTemplate(HUNDRED)
    with one_budget(Limits(steps=350)):
        for _ in range(3):
            template.render(ASK)
        with pytest.raises(TemplateError, match="renderings together take more than 350 steps"):
            template.render(ASK)
        # What is used up stays so, for other templates and for compiling, too.
        with pytest.raises(TemplateError, match="stopped: all its renderings together"):
            ChatTemplate("hello")
    assert template.render(ASK).text == "hi"


def test_renderings_share_work_and_time() -> None:
    template = ChatTemplate("{{ 'a' * 1000 }}")
    with one_budget(Limits(work=2500)), pytest.raises(TemplateError, match="together make more"):
        assert [template.render(ASK) for _ in range(3)] == []
    with one_budget(Limits(seconds=0.0)), pytest.raises(TemplateError, match="longer than 0 sec"):
        template.render(ASK)


def test_a_rendering_keeps_its_own_limits() -> None:
    with one_budget() as budget, pytest.raises(TemplateError, match="it takes more than 50 steps"):
        ChatTemplate(HUNDRED, limits=Limits(steps=50)).render(ASK)
    assert budget.spent is None
    assert budget.steps < budget.limits.steps


def test_the_outermost_budget_rules() -> None:
    with one_budget(Limits(steps=150)) as outer, one_budget(Limits(steps=10**6)) as inner:
        assert inner is outer
        ChatTemplate(HUNDRED).render(ASK)
        with pytest.raises(TemplateError, match="more than 150 steps"):
            ChatTemplate(HUNDRED).render(ASK)


def test_a_budget_may_be_used_up_to_the_end() -> None:
    assert Budget(Limits()).spent is None
    with one_budget() as budget:
        ChatTemplate(HUNDRED).render(ASK)
    used = budget.limits.steps - budget.steps
    assert used > 100
    with one_budget(Limits(steps=used)):
        assert ChatTemplate(HUNDRED).render(ASK).text == "hi"


def test_asking_a_template_many_questions_is_one_budget() -> None:
    compiled = ChatTemplate(SLOW_CHATML)
    with one_budget(Limits(steps=10**7, seconds=60)) as budget:
        compiled.render(ASK)
    one = budget.limits.steps - budget.steps
    assert one > 160_000  # a sixth of what a single one may use
    with one_budget(Limits(steps=3 * one, seconds=60)) as budget:
        assert read_chatml(SLOW_CHATML) is None
        assert budget.spent is not None
        assert "together" in (check_template(SLOW_CHATML).broken or "")
    quick = SLOW_CHATML.replace("range(400)", "range(4)")
    assert read_chatml(quick) is not None
