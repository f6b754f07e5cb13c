"""What looks wrong in a GGUF file that nevertheless loads.

Each check knows one way in which published files go wrong, and says what to do about it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.gguf_file.layout import padded
from qwq_gguf.gguf_file.reader import GgufFile
from qwq_gguf.metadata import ValueType, text_bytes
from qwq_gguf.thinking import form_of

__all__ = ["Oddity", "find_oddities", "readable"]


@dataclass(frozen=True, slots=True)
class Oddity:
    """One thing that looks wrong, and what it leads to or what to do."""

    what: str
    hint: str


def find_oddities(file: GgufFile) -> tuple[Oddity, ...]:
    """Everything that looks wrong, in the order of the checks below."""
    return tuple(
        Oddity(readable(odd.what), readable(odd.hint)) for check in _CHECKS for odd in check(file)
    )


def readable(text: str) -> str:
    """The text with what is not UTF-8 replaced, so that it can be printed."""
    return text_bytes(text).decode("utf-8", "replace")


def _tokens(file: GgufFile) -> list[str]:
    entry = file.metadata.get("tokenizer.ggml.tokens")
    if entry is None or entry.element is not ValueType.STRING:
        return []
    return [str(item) for item in entry.items]


def _missing_keys(file: GgufFile) -> Iterator[Oddity]:
    arch = file.architecture
    if arch is None:
        yield Oddity("no general.architecture", "nothing can load this file as a model")
        return
    for part in ("block_count", "context_length", "embedding_length", "attention.head_count"):
        if file.integer(f"{arch}.{part}") is None and file.metadata.get(f"{arch}.{part}") is None:
            yield Oddity(f"no {arch}.{part}", "llama.cpp refuses to load it")
    layers = {int(found[1]) for found in map(_layer, file.tensors) if found}
    stated = file.integer(f"{arch}.block_count")
    if layers and stated is not None and stated != len(layers):
        yield Oddity(
            f"{arch}.block_count is {stated}, but there are tensors of {len(layers)} layers",
            "a part of the model is missing, or this is one file of a split",
        )


def _layer(tensor: object) -> re.Match[str] | None:
    return re.match(r"blk\.(\d{1,6})\.", getattr(tensor, "name", ""))


def _splits(file: GgufFile) -> Iterator[Oddity]:
    count = file.integer("split.count")
    if file.integer("split.tensors.count") == len(file.tensors):
        return  # they are all there
    if count is not None and count > 1:
        number = file.integer("split.no") or 0
        yield Oddity(
            f"part {number + 1} of {count}",
            "keep all parts in one folder and name the first one",
        )


def _template(file: GgufFile) -> Iterator[Oddity]:
    template = file.text("tokenizer.chat_template")
    tokens = _tokens(file)
    if template is None:
        if tokens:
            yield Oddity("no chat template", "programs will guess how to talk to it")
        return
    form = form_of(file.metadata)
    if form.can_think and form.tags is not None and tokens and form.tags.close not in tokens:
        yield Oddity(
            f"the template thinks in {form.tags.open} tags, but the vocabulary has no such tokens",
            "thoughts can only be told apart by their text",
        )
    bos = file.integer("tokenizer.ggml.bos_token_id")
    adds = file.scalar("tokenizer.ggml.add_bos_token") is True
    if adds and bos is not None and 0 <= bos < len(tokens):
        starts = template.lstrip().removeprefix("{{-").removeprefix("{{").lstrip(" '\"")
        if starts.startswith(("bos_token", tokens[bos])):
            yield Oddity(
                "the template begins with the bos token and add_bos_token adds another",
                "programs that do both feed two of them",
            )


_BPE_DEFAULT = 11
_TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<｜end▁of▁sentence｜>")  # noqa: RUF001


def _special_tokens(file: GgufFile) -> Iterator[Oddity]:
    tokens = _tokens(file)
    if not tokens:
        return
    # llama.cpp takes these by number where a file has none (llama-vocab.cpp).
    comma = file.text("tokenizer.ggml.model") == "gpt2" and len(tokens) > _BPE_DEFAULT
    instead = (
        f"llama.cpp takes token {_BPE_DEFAULT} instead, {tokens[_BPE_DEFAULT]!r}" if comma else ""
    )
    for role in ("bos", "eos", "eot", "padding", "unknown"):
        number = file.integer(f"tokenizer.ggml.{role}_token_id")
        if number is not None and not 0 <= number < len(tokens):
            yield Oddity(
                f"the {role} token {number} is outside the {len(tokens)} tokens",
                (instead if role in ("bos", "eos") else "") or "llama.cpp ignores it",
            )
    eos = file.integer("tokenizer.ggml.eos_token_id")
    if eos is None:
        there = f"{instead}, and ends replies there: set tokenizer.ggml.eos_token_id"
        yield Oddity("no eos token", there if comma else "replies may never end")
        return
    template = file.text("tokenizer.chat_template") or ""
    text = tokens[eos] if 0 <= eos < len(tokens) else ""
    eot = file.integer("tokenizer.ggml.eot_token_id")
    ends = [end for end in _TURN_ENDS if end in template and end in tokens]
    if ends and text not in template and "eos_token" not in template and eot is None:
        yield Oddity(
            f"eos is {text}, but turns end with {ends[0]}",
            f"programs that stop only at eos talk on: set eos_token_id to {tokens.index(ends[0])}",
        )


def _vocabulary(file: GgufFile) -> Iterator[Oddity]:
    tokens = _tokens(file)
    if not tokens:
        return
    for part in ("token_type", "scores"):
        entry = file.metadata.get(f"tokenizer.ggml.{part}")
        if entry is not None and entry.element is not None and len(entry.items) != len(tokens):
            yield Oddity(
                f"tokenizer.ggml.{part} has {len(entry.items)} entries for {len(tokens)} tokens",
                "the vocabulary is damaged",
            )
    if file.text("tokenizer.ggml.model") == "gpt2":
        if file.text("tokenizer.ggml.pre") in (None, "default"):
            yield Oddity(
                "no pre-tokenizer is named",
                "text is cut differently from how the model learned it: make the file anew",
            )
        if "tokenizer.ggml.merges" not in file.metadata:
            yield Oddity("no merges", "the tokenizer cannot work")
    embedding = next((t for t in file.tensors if t.name == "token_embd.weight"), None)
    if embedding is not None and len(embedding.shape) == 2 and embedding.shape[1] != len(tokens):
        yield Oddity(
            f"{len(tokens)} tokens, but {embedding.shape[1]} rows of embeddings",
            "llama.cpp refuses to load it",
        )


def _context(file: GgufFile) -> Iterator[Oddity]:
    arch = file.architecture
    context = file.integer(f"{arch}.context_length")
    kind = file.text(f"{arch}.rope.scaling.type")
    if context is None or kind != "yarn":
        return
    factor = file.number(f"{arch}.rope.scaling.factor")
    original = file.integer(f"{arch}.rope.scaling.original_context_length")
    if factor is None:
        yield Oddity("YaRN without a factor", "positions are not scaled at all")
    elif original is None:
        yield Oddity(
            "YaRN without an original context length",
            f"llama.cpp takes {context} for it and scales wrongly",
        )
    elif abs(original * factor - context) > max(1.0, 0.01 * context):
        yield Oddity(
            f"the context is {context}, but YaRN reaches {original} x {factor:g} = "
            f"{original * factor:.0f}",
            "one of the two was changed by hand",
        )
    if file.number(f"{arch}.rope.scaling.attn_factor") is not None:
        yield Oddity(
            "YaRN with its own attn_factor",
            "ggml applies 1 + 0.1 ln(factor) already, so it counts twice",
        )


_SAMPLERS = frozenset(
    {"penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc"}
    | {"temperature", "infill", "adaptive_p"}
)


def _sampling(file: GgufFile) -> Iterator[Oddity]:
    sequence = file.text("general.sampling.sequence")
    window = file.integer("general.sampling.penalty_last_n")
    repeat = file.number("general.sampling.penalty_repeat")
    if sequence is not None:
        names = [name for name in sequence.split(";") if name]
        unknown = [name for name in names if name not in _SAMPLERS]
        if unknown:
            yield Oddity(
                f"unknown samplers in its chain: {', '.join(unknown)}", "llama.cpp drops them"
            )
        if repeat not in (None, 1.0) and "penalties" not in names:
            yield Oddity(
                f"a repeat penalty of {repeat:g}, but no penalties in its chain",
                "the penalty does nothing",
            )
    if window is not None and window < 0:
        yield Oddity(
            f"a penalty window of {window}",
            "llama.cpp turns the penalties off; a large positive number means everything",
        )


_COMMIT = re.compile(r"[0-9a-f]{40}")


def _names(file: GgufFile) -> Iterator[Oddity]:
    for key in ("general.name", "general.finetune", "general.basename"):
        if _COMMIT.fullmatch((file.text(key) or "").lower()):
            yield Oddity(f"{key} is a commit hash", "it was converted from a cache folder")


def _types(file: GgufFile) -> Iterator[Oddity]:
    version = file.integer("general.quantization_version")
    packed = [tensor for tensor in file.tensors if tensor.type.quantized]
    if packed and version != 2:
        yield Oddity(f"quantization version {version}", "current formats are version 2")
    number = file.integer("general.file_type")
    if number is None or number not in set(FileType) or not file.tensors:
        return
    stated = FileType(number)
    expected = _MAIN_TYPE.get(stated)
    counted: Counter[GgmlType] = Counter()
    for tensor in file.tensors:
        counted[tensor.type] += tensor.weights
    if expected is not None and not counted[expected]:
        most = counted.most_common(1)[0][0]
        yield Oddity(
            f"it calls itself {stated.name}, but has no {expected.name} tensor",
            f"most of it is {most.name}",
        )


_MAIN_TYPE = {
    FileType.F32: GgmlType.F32,
    FileType.F16: GgmlType.F16,
    FileType.BF16: GgmlType.BF16,
    FileType.Q8_0: GgmlType.Q8_0,
    FileType.Q6_K: GgmlType.Q6_K,
    FileType.Q5_K_M: GgmlType.Q5_K,
    FileType.Q5_K_S: GgmlType.Q5_K,
    FileType.Q4_K_M: GgmlType.Q4_K,
    FileType.Q4_K_S: GgmlType.Q4_K,
    FileType.Q3_K_L: GgmlType.Q3_K,
    FileType.Q3_K_M: GgmlType.Q3_K,
    FileType.Q3_K_S: GgmlType.Q3_K,
    FileType.Q2_K: GgmlType.Q2_K,
}


def _trailing(file: GgufFile) -> Iterator[Oddity]:
    if file.tensors:
        last = file.tensors[-1]
        end = file.data_offset + padded(
            last.offset - file.data_offset + last.nbytes, file.alignment
        )
        if file.file_bytes > end:
            yield Oddity(
                f"{file.file_bytes - end} bytes after the last tensor", "nothing reads them"
            )


_CHECKS: tuple[Callable[[GgufFile], Iterator[Oddity]], ...] = (
    _missing_keys,
    _splits,
    _template,
    _special_tokens,
    _vocabulary,
    _context,
    _sampling,
    _names,
    _types,
    _trailing,
)
