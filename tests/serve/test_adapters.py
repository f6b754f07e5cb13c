"""LangChain's and LiteLLM's adapters, by a base URL alone.

They take 440 MB with all that they need, so ./scripts/test does not install them:

    pip install langchain-openai langchain-anthropic litellm
"""

from __future__ import annotations

from typing import Any

import pytest

from support.serving import Running

QUESTION = "What is 7*43?"


def calculator(expression: str) -> str:
    """Work out an expression."""
    return expression


class TestLangChain:
    @pytest.fixture
    def model(self, server: Running) -> Any:
        openai = pytest.importorskip("langchain_openai", reason="needs LangChain's adapter")
        return openai.ChatOpenAI(
            base_url=f"{server.base}/v1", api_key="none", model="demo", temperature=0, seed=1
        )

    def test_at_once_and_as_it_comes(self, model: Any) -> None:
        told = model.invoke(QUESTION)
        assert "301" in told.content
        assert told.usage_metadata["output_token_details"]["reasoning"] > 0
        streamed = "".join(chunk.content for chunk in model.stream(QUESTION))
        assert streamed.strip() == told.content

    def test_tools(self, model: Any) -> None:
        told = model.bind_tools([calculator]).invoke("What is 3394*35979?")
        (call,) = told.tool_calls
        assert (call["name"], call["args"]) == ("calculator", {"expression": "3394*35979"})
        forced = model.bind_tools([calculator], tool_choice="calculator").invoke(QUESTION)
        assert forced.tool_calls[0]["args"].keys() == {"expression"}

    @pytest.mark.parametrize("method", ["json_schema", "function_calling"])
    def test_an_answer_in_a_form(self, model: Any, method: str) -> None:
        pydantic = pytest.importorskip("pydantic")
        shape = pydantic.create_model("Result", result=(int, ...))
        told = model.with_structured_output(shape, method=method).invoke(QUESTION)
        assert isinstance(told.result, int)

    def test_probabilities(self, model: Any) -> None:
        told = model.bind(logprobs=True, top_logprobs=2).invoke(QUESTION)
        assert told.response_metadata["logprobs"]["content"]

    def test_anthropics(self, server: Running) -> None:
        anthropic = pytest.importorskip("langchain_anthropic", reason="needs LangChain's adapter")
        model = anthropic.ChatAnthropic(
            base_url=server.base, api_key="none", model="demo", max_tokens=1000, temperature=0
        )
        told = model.invoke(QUESTION)
        assert [block["type"] for block in told.content] == ["thinking", "text"]
        assert "301" in told.content[1]["text"]


@pytest.mark.filterwarnings("ignore")  # its own, at import
class TestLiteLLM:
    @pytest.fixture
    def litellm(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would fetch one
        return pytest.importorskip("litellm", reason="needs LiteLLM")

    @pytest.mark.parametrize("kind", ["openai", "anthropic"])
    def test_thought_and_answer(self, server: Running, litellm: Any, kind: str) -> None:
        given: dict[str, Any] = {
            "model": f"{kind}/demo",
            "api_base": f"{server.base}/v1" if kind == "openai" else server.base,
            "api_key": "none",
            "messages": [{"role": "user", "content": QUESTION}],
            "temperature": 0,
            "max_tokens": 1000,
        }
        message = litellm.completion(**given).choices[0].message
        assert "301" in message.content
        assert "3*7" in message.reasoning_content
        chunks = list(litellm.completion(**given, stream=True))
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert streamed.strip() == message.content
