"""Known traps in the special tokens of fine-tuned models, found by what the chat template
writes, and put right.

Each of these makes a model run on, or hides its thoughts, in every runtime that believes
the file; each is common in checkpoints saved after a fine-tune.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.chat.template_of_file import special_texts
from qwq_gguf.errors import TemplateError
from qwq_gguf.metadata import KeyValue, ValueType, array, boolean, u32
from qwq_gguf.preparation.template import ANSWER, ask_template

__all__ = ["Repair", "repair_tokens"]

_IDS = "tokenizer.ggml.{}_token_id"
_EOS, _EOT, _BOS, _PAD = (_IDS.format(name) for name in ("eos", "eot", "bos", "padding"))
_ADD_BOS = "tokenizer.ggml.add_bos_token"
_TOKENS, _TYPES = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"
_TEMPLATE = "tokenizer.chat_template"
_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4  # enum llama_token_type

# What a reply is read by must come out as text; a control token comes out as nothing.
_VISIBLE = ("<think>", "</think>", "<tool_call>", "</tool_call>")
# What ends a turn, and then what ends a text, in vocabularies of models that are run.
_ENDS = (
    *("<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "<｜end▁of▁sentence｜>"),  # noqa: RUF001
    *("</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>"),
)
# Tokens that their vocabularies have for nothing else, or that never end a turn.
_PADS = ("<|finetune_right_pad_id|>", "<|PAD_TOKEN|>", "<pad>", "<|vision_pad|>", "<|endoftext|>")


@dataclass(frozen=True, slots=True)
class Repair:
    """Changed entries (in place of those of the same key), and one sentence that says what
    was changed and why.
    """

    entries: tuple[KeyValue, ...]
    said: str


def repair_tokens(
    metadata: Mapping[str, KeyValue], *, keep: Collection[str] = ()
) -> tuple[Repair, ...]:
    """What should be changed in a file's special tokens; nothing named by `keep` is."""
    tokens = metadata.get(_TOKENS)
    types = metadata.get(_TYPES)
    if tokens is None or types is None or tokens.element is None or types.element is None:
        return ()
    texts = [str(item) for item in tokens.items]
    kinds = [int(item) for item in types.items if isinstance(item, int)]
    if len(kinds) != len(texts):
        return ()
    found = [
        _visible(texts, kinds),
        *_end_and_padding(metadata, texts, kinds),
        _no_start(metadata),
    ]
    return tuple(
        repair
        for repair in found
        if repair is not None and not any(entry.key in keep for entry in repair.entries)
    )


def _visible(texts: Sequence[str], kinds: Sequence[int]) -> Repair | None:
    wrong = [
        number
        for number, text in enumerate(texts)
        if text in _VISIBLE and kinds[number] in (_CONTROL, _NORMAL)
    ]
    if not wrong:
        return None
    changed = list(kinds)
    for number in wrong:
        changed[number] = _USER_DEFINED
    named = ", ".join(texts[number] for number in wrong)
    hidden = all(kinds[number] == _CONTROL for number in wrong)
    return Repair(
        (array(_TYPES, ValueType.INT32, changed),),
        f"{named}: token type "
        + (
            "control -> user-defined, because a control token does not come out as text, and "
            "thoughts and tool calls are found by these"
            if hidden
            else "-> user-defined, because an ordinary token is split when a prompt has it"
        ),
    )


def _end_and_padding(
    metadata: Mapping[str, KeyValue], texts: Sequence[str], kinds: Sequence[int]
) -> list[Repair | None]:
    eos = _number(metadata, _EOS)
    end = _turn_end(metadata, texts, kinds)
    repair = None
    if end is not None and end != eos:
        entries = [u32(_EOS, end)]
        former = "nothing"
        if eos is not None and eos < len(texts):
            former = texts[eos]
            if _EOT not in metadata:
                entries.append(u32(_EOT, eos))  # it goes on ending a reply, too
        repair = Repair(
            tuple(entries),
            f"end of sequence: {former} -> {texts[end]}, because the chat template ends the "
            "model's turns with it, and a reply would not stop there",
        )
        eos = end
    elif eos is None and (end := _usual_end(texts, kinds)) is not None:
        repair = Repair(
            (u32(_EOS, end),),
            f"end of sequence: nothing -> {texts[end]}, because llama.cpp takes token 11 where "
            "there is none, a comma as a rule",
        )
        eos = end
    return [repair, _padding(metadata, texts, eos)]


def _usual_end(texts: Sequence[str], kinds: Sequence[int]) -> int | None:
    """The control token that by its name ends a text, where no key and no template tells."""
    places = {text: number for number, text in enumerate(texts) if kinds[number] == _CONTROL}
    return next((places[text] for text in _ENDS if text in places), None)


def _turn_end(
    metadata: Mapping[str, KeyValue], texts: Sequence[str], kinds: Sequence[int]
) -> int | None:
    """The control token that the chat template writes right after an answer."""
    template = metadata.get(_TEMPLATE)
    if template is None or not isinstance(template.value, str):
        return None
    try:
        prompt = ask_template(ChatTemplate(template.value), ANSWER, special_texts(metadata))
    except TemplateError:
        return None
    after = prompt.partition(ANSWER)[2].lstrip()
    ends = [
        number
        for number, text in enumerate(texts)
        if kinds[number] == _CONTROL and text and after.startswith(text)
    ]
    return max(ends, key=lambda number: len(texts[number]), default=None)


def _padding(
    metadata: Mapping[str, KeyValue], texts: Sequence[str], eos: int | None
) -> Repair | None:
    pad = _number(metadata, _PAD)
    if pad is None or eos is None or (pad != eos and pad < len(texts)):
        return None
    others = {eos, _number(metadata, _BOS)}
    choices = [texts.index(text) for text in _PADS if text in texts]
    better = next((number for number in choices if number not in others), None)
    if better is None:
        return None
    was = texts[pad] if pad < len(texts) else f"number {pad}, which no token has"
    return Repair(
        (u32(_PAD, better),),
        f"padding: {was} -> {texts[better]}, because what pads must not end a reply: whoever "
        "trains on this file masks its ends away",
    )


def _no_start(metadata: Mapping[str, KeyValue]) -> Repair | None:
    entry = metadata.get(_ADD_BOS)
    if entry is None or entry.value is not True or _BOS in metadata:
        return None
    return Repair(
        (boolean(_ADD_BOS, False),),
        "add_bos_token: true -> false, because the model has no such token, and llama.cpp "
        "would begin every prompt with token 11",
    )


def _number(metadata: Mapping[str, KeyValue], key: str) -> int | None:
    entry = metadata.get(key)
    return entry.value if entry is not None and isinstance(entry.value, int) else None
