"""Which of llama.cpp's pre-tokenizers a tokenizer.json means.

llama.cpp's converter tells them apart by a fingerprint: the SHA-256 of a sample text's token
numbers. It breaks as soon as a fine-tune adds a token in the wrong place, while the regular
expression in tokenizer.json says the same thing outright. So the expression decides how text
is split, and the fingerprint, where it is known, only which of several names for that
splitting the converter would have written.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwq_gguf.conversion.vocabulary.bpe import encode_pieces
from qwq_gguf.conversion.vocabulary.postprocessor import special_id, templates
from qwq_gguf.conversion.vocabulary.tokens import BpeVocabulary
from qwq_gguf.errors import UnsupportedError

__all__ = [
    "TEKKEN",
    "SAMPLE",
    "SPLITTINGS",
    "Splitting",
    "fingerprint",
    "recognise",
    "split_sample",
]

# The text that the converter hashes; it must be the same to the last byte.
SAMPLE = (
    "\n \n\n \n\n\n \t \t\t \t\n  \n   \n    \n     \n"
    "\U0001f680 (normal) \U0001f636\u200d\U0001f32b\ufe0f (multiple emojis concatenated) "
    "\u2705 \U0001f999\U0001f999 3 33 333 3333 33333 333333 3333333 33333333 3.3 3..3 3...3 "
    "\u1780\u17b6\u1793\u17cb\u178f\u17c2\u1796\u17b7\u179f\u17c1\u179f\u17a2\u17b6\u1785"
    "\U0001f601 ?\u6211\u60f3\u5728apple\u5de5\u4f5c1314151\u5929\uff5e "
    "------======= \u043d\u0435\u0449\u043e \u043d\u0430 "
    "\u0411\u044a\u043b\u0433\u0430\u0440\u0441\u043a\u0438 "
    "''''''```````\"\"\"\"......!!!!!!?????? I've been 'told he's there, 'RE you sure? "
    "'M not sure I'll make it, 'D you like some tea? We'Ve a'lL"
)

_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3 = _QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
_QWEN35 = _QWEN2.replace(r"?\p{L}+", r"?[\p{L}\p{M}]+").replace(r"[^\s\p{L}\p", r"[^\s\p{L}\p{M}\p")
_ENDING = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_CAPITALS, _SMALL = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SEED = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}"
    r"| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_GPT4O = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_CAPITALS}*{_SMALL}+{_ENDING}"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_CAPITALS}+{_SMALL}*{_ENDING}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEKKEN = _GPT4O.replace(_ENDING, "").replace(r"|\p{N}{1,3}|", r"|\p{N}|")
_DEEPSEEK3 = (  # digits first, then Chinese and Japanese
    r"\p{N}{1,3}",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    "[!\"#$%&'()*+,"
    r"\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"
    r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
)
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_DIGIT = r"\p{N}"
_CATEGORY = re.compile(r"\\p\{([A-Z][a-z]?)\}")


@dataclass(frozen=True, slots=True)
class Splitting:
    """One way to split text: `steps` are applied one after the other to each piece.

    `name` is what to write when no fingerprint is known. `ignore_merges` is part of it,
    because llama.cpp ties that to the name too.
    """

    name: str
    steps: tuple[str, ...]
    ignore_merges: bool = False


SPLITTINGS = (
    Splitting("qwen2", (_QWEN2,)),
    Splitting("llama-bpe", (_LLAMA3,), ignore_merges=True),
    Splitting("smaug-bpe", (_LLAMA3,)),
    Splitting("dbrx", (_LLAMA3,)),
    Splitting("glm4", (_LLAMA3,), ignore_merges=True),
    Splitting("qwen35", (_QWEN35,)),
    Splitting("deepseek-v3", _DEEPSEEK3),
    Splitting("gpt-4o", (_GPT4O,)),
    Splitting("gpt-4o", (_GPT4O,), ignore_merges=True),  # gpt-oss, which llama.cpp calls that too
    Splitting("tekken", (TEKKEN,), ignore_merges=True),
    Splitting("seed-coder", (_SEED,)),
    Splitting("gpt-2", (_GPT2,)),
    Splitting("exaone4", (_GPT2,)),
    Splitting("smollm", (_DIGIT, _GPT2)),
)

# Fingerprints from the converter's list whose splitting is one of the above.
_FINGERPRINTS = {
    "e636dc30a262dcc0d8c323492e32ae2b70728f4df7dfe9737d9f920a282b8aea": "qwen2",
    "d4540891389ea895b53b399da6ac824becc30f2fba0e9ddbb98f92e55ca0e97c": "qwen2",
    "b3f499bb4255f8ca19fccd664443283318f2fd2414d5e0b040fbdd0cc195d6c5": "deepseek-r1-qwen",
    "d4c8f286ea6b520b3d495c4455483cfa2302c0cfcd4be05d781b6a8a0a7cdaf1": "megrez",
    "0ef9807a4087ebef797fc749390439009c3b9eda9ad1a097abbe738f486c01e5": "llama-bpe",
    "c136ed14d01c2745d4f60a9596ae66800e2b61fa45643e72436041855ad4089d": "smaug-bpe",
    "a8594e3edff7c29c003940395316294b2c623e09894deebbc65f33f1515df79e": "dbrx",
    "a1336059768a55c99a734006ffb02203cd450fed003e9a71886c88acf24fdbc2": "glm4",
    "9ca2dd618e8afaf09731a7cf6e2105b373ba6a1821559f258b272fe83e6eb902": "glm4",
    "cdf5f35325780597efd76153d4d1c16778f766173908894c04afc20108536267": "glm4",
    "d30d75d9059f1aa2c19359de71047b3ae408c70875e8a3ccf8c5fba56c9d8af4": "qwen35",
    "1444df51289cfa8063b96f0e62b1125440111bc79a52003ea14b6eac7016fd5f": "qwen35",
    "877081d19cf6996e2c4ff0e1236341e9b7bde288f5311a56a937f0afbbb3aeb5": "deepseek-v3",
    "ccc2ef013c104be7bae2965776d611e1d7a8a2a9c547dd93a682c9a9fc80352e": "gpt-4o",
    "63b97e4253352e6f357cc59ea5b583e3a680eaeaf2632188c2b952de2588485e": "tekken",
    "0e9433cbbb161f89e264eb32e8e64bfe69e834973ffca5d41d3948a604a3e2a3": "pixtral",
    "d5f1dd6f980fec569fb218a81a7658ac45fc56b38c5a0adeb1c232fbe04ef5ec": "seed-coder",
    "2085e1638f6c377a0aa4ead21b27bb4cb941bf800df86ed391011769c1758dfb": "exaone4",
    "3ce83efda5659b07b1ad37ca97ca5797ea4285d9b9ab0dc679e4a720c9da7454": "gpt-2",
    "855059429035d75a914d1eda9f10a876752e281a054a7a3d421ef0533e5b6249": "smollm",
}


def recognise(
    tokenizer: Mapping[str, Any], vocabulary: BpeVocabulary, path: Path, usual: str | None = None
) -> str:
    """The value of `tokenizer.ggml.pre`; of several names for one splitting, where nothing
    tells which, `usual` if it is among them.

    UnsupportedError, with the known names, for a splitting that is not among them.
    """
    steps = _steps(tokenizer.get("pre_tokenizer"))
    candidates = [known for known in SPLITTINGS if known.steps == steps]
    if candidates:
        frame = _frame(tokenizer.get("post_processor"), vocabulary)
        found = fingerprint(vocabulary, steps, *frame)
        if found in _FINGERPRINTS:
            return _FINGERPRINTS[found]
    for known in sorted(candidates, key=lambda known: known.name != usual):
        if known.ignore_merges == vocabulary.ignore_merges:
            return known.name
    raise UnsupportedError(
        "this tokenizer splits text in a way that is not supported",
        path=path,
        found=" then ".join(steps)[:200] if steps else "no known kind of pre_tokenizer",
        expected=f"that of {', '.join(dict.fromkeys(known.name for known in SPLITTINGS))}",
    )


def fingerprint(
    vocabulary: BpeVocabulary,
    steps: Sequence[str],
    before: Sequence[int] = (),
    after: Sequence[int] = (),
) -> str | None:
    """The converter's hash of the sample's tokens, with those that the tokenizer itself puts
    before and after a text; None when a byte has no token. `steps` are a Splitting's.
    """
    ranks = {pair: rank for rank, pair in enumerate(vocabulary.merges)}
    numbers = encode_pieces(
        split_sample(steps), vocabulary.ids, ranks, ignore_merges=vocabulary.ignore_merges
    )
    if numbers is None:
        return None
    return hashlib.sha256(str([*before, *numbers, *after]).encode()).hexdigest()


def split_sample(steps: Sequence[str]) -> list[str]:
    """The sample, split. `re` has no \\p{L}, but within this one text the letters can be
    listed, and no expression of a stranger ever runs.
    """
    pieces = [SAMPLE]
    for step in steps:
        expression = re.compile(_translate(step))
        pieces = [part for piece in pieces for part in _isolate(expression, piece)]
    return pieces


def _translate(step: str) -> str:
    """`\\p{L}` and its like spelled out, inside a class or as one of their own."""
    result: list[str] = []
    inside = False
    index = 0
    while index < len(step):
        category = _CATEGORY.match(step, index)
        if category:
            listed = _listed(category[1])
            result.append(listed if inside else f"[{listed}]")
            index = category.end()
            continue
        if step[index] == "\\":
            result.append(step[index : index + 2])
            index += 2
            continue
        inside = step[index] == "[" or (inside and step[index] != "]")
        result.append(step[index])
        index += 1
    return "".join(result)


def _listed(category: str) -> str:
    """The characters of the sample in a category; of an empty one a character it has not."""
    found = sorted({c for c in SAMPLE if unicodedata.category(c).startswith(category)})
    return "".join(map(re.escape, found)) or "\ue000"


def _isolate(expression: re.Pattern[str], text: str) -> list[str]:
    """Matches and what lies between them, each a piece of its own."""
    pieces: list[str] = []
    position = 0
    for match in expression.finditer(text):
        pieces += [text[position : match.start()], match.group()]
        position = match.end()
    pieces.append(text[position:])
    return [piece for piece in pieces if piece]


def _steps(pre_tokenizer: Any) -> tuple[str, ...]:
    """The expressions of a pre_tokenizer; empty when it has a part that is not understood."""
    if not isinstance(pre_tokenizer, Mapping):
        return ()
    parts = pre_tokenizer.get("pretokenizers")
    if pre_tokenizer.get("type") != "Sequence":
        parts = [pre_tokenizer]
    if not isinstance(parts, list) or len(parts) > 16:
        return ()
    steps: list[str] = []
    for part in parts:
        match part:
            case {"type": "Split", "pattern": {"Regex": str(regex)}, "behavior": "Isolated"}:
                if part.get("invert"):
                    return ()
                # Line ends may stand there themselves or as escapes, which is the same.
                steps.append(regex.replace("\r", r"\r").replace("\n", r"\n"))
            case {"type": "Digits", "individual_digits": True}:
                steps.append(_DIGIT)
            case {"type": "ByteLevel"}:
                if part.get("add_prefix_space"):
                    return ()
                if part.get("use_regex", True):
                    steps.append(_GPT2)
            case _:
                return ()
    return tuple(steps)


def _frame(post_processor: Any, vocabulary: BpeVocabulary) -> tuple[list[int], list[int]]:
    """The special tokens that a template puts before and after a single text."""
    before: list[int] = []
    after: list[int] = []
    for template in templates(post_processor):
        target = before
        for part in template:
            if "Sequence" in part:
                target = after
            number = vocabulary.ids.get(special_id(part) or "")
            if number is not None:
                target.append(number)
    return before, after
