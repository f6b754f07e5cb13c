"""A vocabulary as Mistral writes it, of all bytes and some words."""

from __future__ import annotations

import base64
from typing import Any

__all__ = ["tekken_tokenizer"]

PATTERN = (  # of every tekken.json so far
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)
_WORDS = (b"th", b"he", b"the", b" t", b" the", b"\xe2\x82", b"\xe2\x82\xac", b"in", b"ng", b"ing")
_SPECIAL = (
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
    *("[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]"),
    *("[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
    *("[TOOL_CONTENT]", "[CALL_ID]", "[ARGS]", "[THINK]", "[/THINK]"),
)


def tekken_tokenizer(size: int = 320, *, version: str = "v11") -> dict[str, Any]:
    """A tekken.json of so many tokens; some of its own are cut off, and some have no meaning."""
    tokens = [bytes([number]) for number in range(256)] + list(_WORDS) + [b"never"]
    count = size - 256 - len(_WORDS)
    return {
        "config": {
            "pattern": PATTERN,
            "num_vocab_tokens": len(tokens),
            "default_vocab_size": size,
            "default_num_special_tokens": count,
            "version": version,
        },
        "vocab": [
            {"rank": rank, "token_bytes": base64.b64encode(token).decode(), "token_str": None}
            for rank, token in enumerate(tokens)
        ],
        "special_tokens": [
            {"rank": rank, "token_str": token, "is_control": True}
            for rank, token in enumerate(_SPECIAL)
        ],
        "version": 1,
        "type": "Tekken",
    }
