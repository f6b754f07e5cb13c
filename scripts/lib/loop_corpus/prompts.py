"""What small models are asked so that some of them loop: a text, and how it is put to them."""

# ruff: noqa: E501 (texts are easier to read in one line)

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["DEMO_QUESTIONS", "PROMPTS", "Prompt"]

Form = Literal["chat", "thought", "raw"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt. `chat`: a user's turn. `thought`: the same, and the reply begins with an
    opened thought (`begin`). `raw`: a text to go on with, without a template.
    """

    form: Form
    text: str
    begin: str = ""


_QUESTIONS = (
    "How many positive integers below 1000 are divisible by 7 but not by 11? Show every step.",
    "A train leaves at 9:40 and arrives at 13:05 after two stops of 12 minutes. How long did it move?",
    "Prove that the square root of 2 is irrational, and check each step twice.",
    "Which is larger, 9.9 or 9.11? Think it over carefully.",
    "How many r's are in the word strawberry? Count letter by letter.",
    "Find all integers x with x^2 - 5x + 6 = 0 and verify them.",
    "If all bloops are razzies and some razzies are lazzies, are some bloops lazzies?",
    "Five friends sit in a row. Anna is not at an end and Ben is left of Clara. How many seatings?",
    "What is the last digit of 7^2024?",
    "A bat and a ball cost 1.10 together; the bat costs 1.00 more. What does the ball cost?",
    "Is 1001 a prime number?",
    "Explain why the sky is blue to a child, a student and a physicist.",
    "Write a long poem about the sea with a refrain.",
    "Write a Python class for a bank account with deposit, withdraw, transfer and tests for all of it.",
    "List 100 animals, one a line, without repeating any.",
    "Write a story about a dog that finds its way home.",
    "Give me a detailed plan to learn the piano in a year, week by week.",
    "Translate 'The quick brown fox jumps over the lazy dog' into as many languages as you can.",
    "Write an SQL schema for a library with ten tables and sample rows.",
    "What are the arguments for and against free will? Discuss at length.",
    "Write C code that prints a chessboard, with comments on every line.",
    "Compare TCP and UDP in a table with twenty rows.",
    "Describe the history of the bicycle year by year from 1817.",
    "Write a dialogue between two philosophers who disagree about everything.",
    "Solve the riddle: I speak without a mouth and hear without ears. What am I? Explain at length.",
    "Give 50 synonyms and antonyms of the word good.",
    "Write a JSON file with 30 users, each with name, age, email and address.",
    "What is the meaning of life? Answer in at least a thousand words.",
    "Write unit tests for a function that reverses a linked list.",
    "Count from 1 to 200 in English words.",
)
_THOUGHTS = (
    "Okay, let me think about this step by step.",
    "Okay, so I need to figure this out. Wait, let me read the question again.",
    "Hmm, let me check that again. Wait,",
)
_RAW = (
    "The following is a list of reasons why people travel:\n1.",
    "Once upon a time there was a king who had three sons.",
    "def test_addition():\n    assert add(1, 2) == 3\n\n\ndef test_",
    "Chapter 1\n\nIt was a dark and stormy night.",
    "Q: What is the capital of France?\nA: Paris\n\nQ:",
    "Abstract. In this paper we",
    "[2024-03-01 10:00:01] INFO server: started\n[2024-03-01 10:00:02]",
    "<html>\n<body>\n<table>\n<tr>",
    "Let me think. First, we know that x + y = 10. Then",
    "I am not sure. Wait, let me check again. If n = 3 then",
    "The most important thing is that",
    "Dear Sir or Madam,\n\nI am writing to",
    "# README\n\n## Installation\n",
    "Alice: Hello!\nBob: Hi, how are you?\nAlice:",
    "SELECT name FROM users WHERE",
    "Theorem 1. Let G be a finite group. Proof. Suppose",
    "O sea, O sea,",
    "Ingredients:\n- 2 eggs\n- 100 g flour\n",
    "import numpy as np\n\n",
    "The patient was a 45-year-old man who",
)

PROMPTS: tuple[Prompt, ...] = (
    *(Prompt("thought", text, begin) for text in _QUESTIONS[:12] for begin in _THOUGHTS),
    *(Prompt("chat", text) for text in _QUESTIONS),
    *(Prompt("raw", text) for text in _RAW),
)

# Far outside what the demo was trained on, so that it loses its way.
DEMO_QUESTIONS: tuple[Prompt, ...] = tuple(
    Prompt("chat", text)
    for text in (
        *(f"What is {a}*{b}?" for a, b in (
            (73919, 8462), (99999, 99999), (123456, 7891), (1000001, 37), (88888, 7777),
            (314159, 2653), (27182, 81828), (60504, 30201), (111111, 1111), (909090, 8080),
            (5, 123456789), (77777, 13), (420042, 4242), (19283, 74655), (65536, 65536),
        )),
        *(f'How many {letter}\'s are in "{word}"?' for word, letter in (
            ("antidisestablishmentarianism", "i"), ("mississippimississippi", "s"),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a"), ("bananabananabanana", "a"),
            ("llanfairpwllgwyngyllgogerychwyrndrobwll", "l"), ("ababababababababababab", "b"),
            ("pneumonoultramicroscopicsilicovolcanoconiosis", "o"), ("zzzzzzzzzzzzzzzzzz", "z"),
        )),
        *(f"What is {'+'.join(str(n) for n in numbers)}?" for numbers in (
            range(1, 12), range(100, 1000, 90), (9, 99, 999, 9999, 99999, 999999),
            range(11, 99, 11), (123456789, 987654321), range(1, 30),
        )),
        "Which is larger, 1.1111111111 or 1.11111111101?",
        "Which is smaller, 3.14159265358979 or 3.14159265358978?",
        "Why is the sky blue?", "Tell me a story.", "Hello.", "Prove that there are infinitely many primes.",
        "Count to fifty.", "Write a poem.", "Who are you?", "What is pi?", "1 2 3 4 5 6 7 8 9",
        "Repeat after me: again and again and again.", "What comes after 1, 2, 4, 8, 16?",
        "((((((1+2)*3)+4)*5)+6)*7)", "What is 10/3?", "Divide 1 by 7.",
    )
)  # fmt: skip
