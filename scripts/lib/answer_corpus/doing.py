"""Questions that want something done: code, instructions followed, functions called."""

from __future__ import annotations

from typing import Any

from qwq_gguf.evaluation.questions import Question

__all__ = ["call_questions", "code_questions", "instruction_questions"]


def _entry(name: str, *tests: tuple[str, str]) -> dict[str, Any]:
    return {"entry": name, "tests": [{"input": i, "output": o} for i, o in tests], "seconds": 5}


def _stdin(*tests: tuple[str, str]) -> dict[str, Any]:
    return {"entry": None, "tests": [{"input": i, "output": o} for i, o in tests], "seconds": 5}


def _asserts(*lines: str) -> dict[str, Any]:
    return {"entry": None, "tests": [], "asserts": list(lines), "seconds": 5}


_CODE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("a function is_prime(n) that says whether n is prime",
     _asserts("assert is_prime(2)", "assert not is_prime(1)", "assert is_prime(97)",
              "assert not is_prime(91)")),
    ("a function reverse_words(text) that reverses the order of the words in a text",
     _entry("reverse_words", ('"a b c"', '"c b a"'), ('"hello"', '"hello"'))),
    ("a function second_largest(numbers) that returns the second largest distinct number",
     _entry("second_largest", ("[1, 3, 2]", "2"), ("[5, 5, 4]", "4"), ("[-1, -2]", "-2"))),
    ("a program that reads two integers from one line of input and prints their sum",
     _stdin(("3 4\n", "7\n"), ("-5 2\n", "-3\n"))),
    ("a program that reads a number n and prints the numbers from 1 to n, one a line",
     _stdin(("3\n", "1\n2\n3\n"), ("1\n", "1\n"))),
    ("a function count_vowels(text) that counts the vowels in a text, in either case",
     _entry("count_vowels", ('"Apple"', "2"), ('"xyz"', "0"), ('"AEIOU"', "5"))),
    ("a function gcd(a, b) without importing anything",
     _asserts("assert gcd(12, 18) == 6", "assert gcd(7, 3) == 1", "assert gcd(0, 5) == 5")),
    ("a function flatten(items) that flattens a nested list of any depth",
     _entry("flatten", ("[1, [2, [3, [4]]]]", "[1, 2, 3, 4]"), ("[]", "[]"))),
    ("a function is_palindrome(text) that ignores case and everything but letters",
     _asserts("assert is_palindrome('A man, a plan, a canal: Panama')",
              "assert not is_palindrome('ab')")),
    ("a program that reads a line and prints it in upper case",
     _stdin(("hello\n", "HELLO\n"), ("a b\n", "A B\n"))),
    ("a function fibonacci(n) with fibonacci(0) == 0 and fibonacci(1) == 1",
     _entry("fibonacci", ("10", "55"), ("0", "0"), ("1", "1"))),
    ("a function remove_duplicates(items) that keeps the first of each and the order",
     _entry("remove_duplicates", ("[3, 1, 3, 2, 1]", "[3, 1, 2]"))),
    ("a function to_roman(n) that writes 1 to 3999 as a Roman numeral",
     _entry("to_roman", ("4", '"IV"'), ("1994", '"MCMXCIV"'))),
    ("a function merge(a, b) that merges two sorted lists into a sorted one",
     _entry("merge", ("[1, 3]\n[2, 4]", "[1, 2, 3, 4]"), ("[]\n[1]", "[1]"))),
    ("a program that reads n and then n integers, one a line, and prints the largest",
     _stdin(("3\n1\n9\n4\n", "9\n"), ("1\n-2\n", "-2\n"))),
    ("a function balanced(text) that says whether the brackets ()[]{} in a text match",
     _asserts("assert balanced('([]{})')", "assert not balanced('(]')",
              "assert not balanced('(')", "assert not balanced('[')")),
    ("a function digit_sum(n) for n of 0 or more",
     _entry("digit_sum", ("1234", "10"), ("0", "0"))),
    ("a function transpose(matrix) for a list of rows",
     _entry("transpose", ("[[1, 2], [3, 4], [5, 6]]", "[[1, 3, 5], [2, 4, 6]]"))),
)  # fmt: skip

_INSTRUCTIONS: tuple[tuple[str, list[tuple[str, dict[str, Any]]]], ...] = (
    ("Describe the sea in at least 40 words.",
     [("length_constraints:number_words", {"relation": "at least", "num_words": 40})]),
    ("Describe a cat in less than 20 words.",
     [("length_constraints:number_words", {"relation": "less than", "num_words": 20})]),
    ("Name three colours. Do not use any commas in your answer.", [("punctuation:no_comma", {})]),
    ("Tell me a fact about bees. Your entire answer should be in lowercase letters.",
     [("change_case:english_lowercase", {})]),
    ("Say hello to a new colleague. Your entire answer should be in capital letters.",
     [("change_case:english_capital", {})]),
    ("List exactly 3 fruits as bullet points, each beginning with *.",
     [("detectable_format:number_bullet_lists", {"num_bullets": 3})]),
    ("Give facts about Paris as a JSON object. Your entire output should be in JSON format.",
     [("detectable_format:json_format", {})]),
    ("Write a short poem about rain, with a title in double angular brackets, such as <<title>>.",
     [("detectable_format:title", {})]),
    ("Explain what a GPU is. Include the words \"parallel\" and \"graphics\".",
     [("keywords:existence", {"keywords": ["parallel", "graphics"]})]),
    ("Describe winter without using the words \"cold\" and \"snow\".",
     [("keywords:forbidden_words", {"forbidden_words": ["cold", "snow"]})]),
    ("Write two sentences about dogs. Finish your answer with exactly this phrase: "
     "Is there anything else?",
     [("startend:end_checker", {"end_phrase": "Is there anything else?"})]),
    ("Wrap your entire answer in double quotation marks. What is the capital of Italy?",
     [("startend:quotation", {})]),
    ("Describe a forest in 2 paragraphs, separated by the markdown divider: ***",
     [("length_constraints:number_paragraphs", {"num_paragraphs": 2})]),
    ("Write about tea. Your answer must contain at least 3 sentences.",
     [("length_constraints:number_sentences", {"relation": "at least", "num_sentences": 3})]),
    ("Write a short story about a boat in which the word \"boat\" occurs at least 3 times.",
     [("keywords:frequency", {"keyword": "boat", "relation": "at least", "frequency": 3})]),
    ("Write a letter template with at least 3 placeholders in square brackets, such as [name].",
     [("detectable_content:number_placeholders", {"num_placeholders": 3})]),
    ("Recommend a book. At the end, add a postscript that begins with P.S.",
     [("detectable_content:postscript", {"postscript_marker": "P.S."})]),
    ("Is the sky blue? Answer with exactly one of: My answer is yes. / My answer is no. / "
     "My answer is maybe.", [("detectable_format:constrained_response", {})]),
    ("Give two different answers to how one may sleep better, separated by six asterisks: ******",
     [("combination:two_responses", {})]),
    ("Highlight at least 2 sections of your answer about Rome with markdown, such as "
     "*highlighted section*.",
     [("detectable_format:number_highlighted_sections", {"num_highlights": 2})]),
    ("In your answer about mountains the letter q must not occur. Write one sentence.",
     [("keywords:letter_frequency", {"letter": "q", "let_relation": "less than",
                                     "let_frequency": 1})]),
    ("Name a city in Spain in at most 10 words and without any commas.",
     [("length_constraints:number_words", {"relation": "less than", "num_words": 11}),
      ("punctuation:no_comma", {})]),
)  # fmt: skip


def _function(name: str, about: str, required: list[str], **kinds: str) -> dict[str, Any]:
    return {
        "name": name, "description": about,
        "parameters": {
            "type": "object", "required": required,
            "properties": {k: {"type": v, "description": k} for k, v in kinds.items()},
        },
    }  # fmt: skip


_WEATHER = _function("get_weather", "The weather of a city today.", ["city"], city="string",
                     unit="string")  # fmt: skip
_AREA = _function("triangle_area", "Area of a triangle.", ["base", "height"], base="integer",
                  height="integer")  # fmt: skip
_BOOK = _function("book_table", "Book a table at a restaurant.", ["restaurant", "people"],
                  restaurant="string", people="integer", time="string")  # fmt: skip


_ANY_UNIT = ("celsius", "fahrenheit", "C", "F", "metric", "imperial", "")


def _weather(city: str, *units: str) -> dict[str, Any]:
    return {"get_weather": {"city": city.split("|"), "unit": list(units or _ANY_UNIT)}}


def _triangle(base: int, height: int) -> dict[str, Any]:
    return {"triangle_area": {"base": [base], "height": [height]}}


def _table(restaurant: str, people: int, *times: str) -> dict[str, Any]:
    names = restaurant.split("|")
    return {"book_table": {"restaurant": names, "people": [people], "time": list(times)}}


_CALLS: tuple[tuple[str, tuple[dict[str, Any], ...], list[dict[str, Any]]], ...] = (
    ("What is the weather in Paris?", (_WEATHER,), [_weather("Paris|Paris, France")]),
    ("How warm is it in Oslo, in celsius?", (_WEATHER, _AREA),
     [_weather("Oslo|Oslo, Norway", "celsius", "C", "")]),
    ("What is the area of a triangle with base 10 and height 5?", (_AREA,), [_triangle(10, 5)]),
    ("A triangle is 7 high on a base of 12. Compute its area with the function.",
     (_WEATHER, _AREA), [_triangle(12, 7)]),
    ("Book a table for 4 people at Luigi's at 19:00.", (_BOOK,),
     [_table("Luigi's|Luigis", 4, "19:00", "7pm", "7 PM")]),
    ("Reserve a table for two at Sakura.", (_WEATHER, _BOOK), [_table("Sakura", 2, "")]),
    ("What is the weather in Rome and in Madrid?", (_WEATHER,),
     [_weather("Rome|Rome, Italy"), _weather("Madrid|Madrid, Spain")]),
    ("Compute the areas of two triangles: base 3 height 4, and base 6 height 8.", (_AREA,),
     [_triangle(3, 4), _triangle(6, 8)]),
    ("Who wrote Faust?", (_WEATHER, _AREA), []),
    ("What is the boiling point of water?", (_BOOK,), []),
    ("Tell me a joke about cats.", (_AREA,), []),
    ("What is the weather like in Tokyo today? Use fahrenheit.", (_WEATHER,),
     [_weather("Tokyo|Tokyo, Japan", "fahrenheit", "F")]),
)  # fmt: skip


def code_questions() -> list[Question]:
    """Small programs and functions."""
    return [
        Question(
            key=f"code:{at}", skill="code", grader="code", expected=expected,
            text=f"Write {what} in Python. Answer with one code block and nothing else.",
        )
        for at, (what, expected) in enumerate(_CODE)
    ]  # fmt: skip


def instruction_questions() -> list[Question]:
    """One or two instructions each, of the kinds of IFEval."""
    return [
        Question(
            key=f"ifeval:{at}", skill="ifeval", text=text, grader="ifeval",
            expected={"instructions": [{"id": name, "kwargs": more} for name, more in rules]},
        )
        for at, (text, rules) in enumerate(_INSTRUCTIONS)
    ]  # fmt: skip


def call_questions() -> list[Question]:
    """Functions offered, to be called once, several times or not at all."""
    return [
        Question(
            key=f"bfcl:{at}", skill="bfcl", text=text, grader="bfcl", functions=functions,
            expected={"calls": calls, "parallel": len(calls) > 1},
        )
        for at, (text, functions, calls) in enumerate(_CALLS)
    ]  # fmt: skip
