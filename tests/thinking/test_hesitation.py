from __future__ import annotations

from qwq_gguf.thinking import hesitation_tokens

TOKENS = ["Wait", " Wait", "wait", " wait", "WAIT", "Wait,", "\n\nWait", "Hmm", " Hmm", "Waiter"]


def test_the_words_of_a_vocabulary_are_found_with_what_stands_around_them() -> None:
    ids = {text: number for number, text in enumerate(TOKENS)}

    def encode(text: str) -> list[int]:
        return [ids[text]] if text in ids else list(text.encode())

    assert hesitation_tokens(encode) == {ids[text] for text in TOKENS if text != "Waiter"}


def test_words_of_several_tokens_are_left_out() -> None:
    assert hesitation_tokens(lambda text: list(text.encode())) == frozenset()
