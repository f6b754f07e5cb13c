"""Ask a reasoning model through an OpenAI-compatible server; print its thought, then its answer.

    qwq-gguf serve MODEL                                  # prints the address
    python examples/stream_thoughts.py "What is 7*43?"

Any such server will do that streams the thought in `reasoning_content`: the address is read from
OPENAI_BASE_URL, the key from OPENAI_API_KEY. Needs `pip install openai`.
"""

from __future__ import annotations

import os
import sys

from openai import OpenAI
from openai.types import CompletionUsage

QUESTION = "Which is larger, 9.9 or 9.11?"


def main(question: str) -> None:
    """Ask, and print what comes while it comes."""
    client = OpenAI(
        base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1"),
        api_key=os.environ.get("OPENAI_API_KEY", "none"),
    )
    model = os.environ.get("MODEL") or next(iter(client.models.list())).id
    stream = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": question}],
        stream=True,
        stream_options={"include_usage": True},
    )
    usage: CompletionUsage | None = None
    part = None
    for chunk in stream:
        usage = chunk.usage or usage  # the last chunk has it, and no choices
        for choice in chunk.choices:
            # Not a field of OpenAI's own models, so the client knows it as an extra one.
            thought = getattr(choice.delta, "reasoning_content", None)
            for name, text in (("Thought", thought), ("Answer", choice.delta.content)):
                if not text:
                    continue
                if name != part:
                    print(f"{'' if part is None else chr(10) * 2}--- {name} ---")
                    part = name
                print(text, end="", flush=True)
    print()
    if usage is not None:
        details = usage.completion_tokens_details
        thinking = (details.reasoning_tokens if details else None) or 0
        print(
            f"\n{usage.prompt_tokens} tokens asked, {thinking} thought, "
            f"{usage.completion_tokens - thinking} answered"
        )


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or QUESTION)
