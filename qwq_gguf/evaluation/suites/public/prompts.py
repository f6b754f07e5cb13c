"""How questions of a kind are put, as Qwen publishes it for QwQ. Pure.

https://huggingface.co/Qwen/QwQ-32B, "Usage Guidelines", and the prompts that
https://github.com/QwenLM/QwQ/tree/main/eval asks with.
"""

from __future__ import annotations

__all__ = ["choice_prompt", "code_prompt", "math_prompt"]

_MATH = r"Please reason step by step, and put your final answer within \boxed{}."
_CHOICE = (
    "Please show your choice in the `answer` field with only the choice letter, e.g., "
    '`"answer": "C"`.'
)
_CODE = "Write a correct Python program that solves this problem and passes all of its tests."
_STDIN = (
    "The program reads its input from stdin and writes the answer to stdout. Give all of it in one "
    "block:\n```python\n# your code\n```"
)
_STARTER = "Go on from this code, and give all of it in one block:\n```python\n{starter}\n```"


def math_prompt(problem: str) -> str:
    """Step by step, and the answer in a box; one that asks for a box already stays."""
    return problem if "\\boxed" in problem else f"{problem}\n{_MATH}"


def choice_prompt(question: str, options: dict[str, str]) -> str:
    """The options by letter, and the choice as a field."""
    lines = "\n".join(f"{letter}. {text}" for letter, text in options.items())
    return f"{question}\n\n{lines}\n\n{_CHOICE}"


def code_prompt(problem: str, starter: str) -> str:
    """A program for stdin, or, with a starter, its function."""
    form = _STARTER.format(starter=starter) if starter else _STDIN
    return f"{_CODE}\n\n{problem}\n\n{form}"
