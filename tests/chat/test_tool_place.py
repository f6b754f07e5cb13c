from __future__ import annotations

import pytest

from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.chat.tool_place import takes_tools
from support.chat_templates import CHATML, QWQ


@pytest.mark.parametrize(
    "source, takes",
    [
        (QWQ, True),
        (CHATML, False),
        # The word alone is no place for them.
        (CHATML + "{# tools #}", False),
        ("{% if tools %}{% endif %}" + CHATML, False),
        ("{% if tools %}{{ raise_exception('no tools') }}{% endif %}" + CHATML, False),
        ("{% if tools is not none %}{{ tools | tojson }}{% endif %}" + CHATML, True),
    ],
)
def test_a_place_for_tools_is_one_that_changes_the_prompt(source: str, takes: bool) -> None:
    assert takes_tools(ChatTemplate(source)) is takes
