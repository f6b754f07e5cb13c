"""The byte alphabet, compared with the one of `tokenizers`."""

from __future__ import annotations

from itertools import chain

import pytest
from tokenizers.decoders import ByteLevel as Decoder
from tokenizers.pre_tokenizers import ByteLevel

from qwq_gguf.conversion.vocabulary.bpe import byte_letters

SPLIT = ByteLevel(add_prefix_space=False, use_regex=False)
# No text holds these: they begin no character of UTF-8.
IN_NO_TEXT = {0xC0, 0xC1, *range(0xF5, 0x100)}


def test_the_letters_are_those_of_tokenizers() -> None:
    letters = byte_letters()
    assert sorted(letters) == list(range(256))
    assert sorted(letters.values()) == sorted(ByteLevel.alphabet())


def texts() -> dict[int, str]:
    """For each byte that texts can have, a character with it."""
    found: dict[int, str] = {}
    planes = (range(0x800), range(0x800, 0xD800, 61), range(0xE000, 0x10000, 61))
    for code in chain(*planes, range(0x10000, 0x110000, 4093)):
        for byte in chr(code).encode():
            found.setdefault(byte, chr(code))
    return found


@pytest.mark.parametrize("byte", sorted(set(range(256)) - IN_NO_TEXT))
def test_each_byte_has_its_own_letter(byte: int) -> None:
    text = texts()[byte]
    ((spelled, _),) = SPLIT.pre_tokenize_str(text)
    assert spelled[text.encode().index(byte)] == byte_letters()[byte]


def test_a_byte_of_no_text_stands_for_itself() -> None:
    """As all printable ones do, which the alphabet of `tokenizers` has by their own letters."""
    letters = byte_letters()
    for byte in IN_NO_TEXT:
        assert letters[byte] == chr(byte)
        assert chr(byte) in ByteLevel.alphabet()


def test_the_letters_come_back_as_the_text() -> None:
    letters = byte_letters()
    for text in texts().values():
        assert Decoder().decode(["".join(letters[byte] for byte in text.encode())]) == text
