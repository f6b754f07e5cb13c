"""A loaded model's vocabulary: text to tokens, tokens to bytes, and which are special."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from unicodedata import is_normalized, normalize

from qwq_gguf.chat.prompt import cut_prompt
from qwq_gguf.errors import ChainError, ModelError, PromptTooLongError

if TYPE_CHECKING:
    from qwq_gguf.chat.template import Segment
    from qwq_gguf.engine.llama.library import Library
    from qwq_gguf.engine.llama.owned import Owned
    from qwq_gguf.engine.llama.pieces import Pieces

__all__ = ["Vocabulary", "too_long"]

# More than this in one call overflows llama.cpp's 32-bit counts.
_MOST_BYTES = 1 << 30
# Texts of fewer bytes a token are encoded at once to see how many tokens they are.
_DENSE = 8


class Vocabulary:
    """The tokens of one model. ModelError from whatever needs the model once it is closed."""

    def __init__(
        self,
        library: Library,
        owner: Owned,
        *,
        bos: int | None,
        eos: int | None,
        composing: bool = False,
    ) -> None:
        """`owner` is the loaded model, `bos` and `eos` what its file names. Where that is nothing
        or no token, llama.cpp takes one by number: a comma in most vocabularies.

        `composing`: characters are composed before a text is encoded, as the model's own
        tokenizer does it (`gguf_file.nfc`).
        """
        self._composing = composing
        api = library.api
        self._api: Any = api
        self.owner = owner
        with owner as model:
            self._read(api, api.llama_model_get_vocab(model), (bos, eos))
        self._pieces: dict[int, bytes] = {}

    def _read(self, api: Any, handle: int, named: tuple[int | None, int | None]) -> None:
        self._handle = handle
        self.size: int = api.llama_vocab_n_tokens(handle)
        attribute = api.llama_vocab_get_attr
        special = (
            api.LLAMA_TOKEN_ATTR_CONTROL
            | api.LLAMA_TOKEN_ATTR_USER_DEFINED
            | api.LLAMA_TOKEN_ATTR_UNKNOWN
        )
        bos, eos = self._special(api.llama_vocab_bos), self._special(api.llama_vocab_eos)
        guessed = {
            token
            for token, name in zip((bos, eos), named, strict=True)
            if token is not None and token != name and not attribute(handle, token) & special
        }
        self.bos = None if bos in guessed else bos
        self.eos = None if eos in guessed else eos
        # The kinds that leave no byte of a text out: others may, white space for one.
        kinds = (api.LLAMA_VOCAB_TYPE_SPM, api.LLAMA_VOCAB_TYPE_BPE)
        self._keeps_bytes = api.llama_vocab_type(handle) in kinds
        self.adds_bos = bool(api.llama_vocab_get_add_bos(handle)) and self.bos is not None
        is_eog = api.llama_vocab_is_eog
        self.eog = frozenset(t for t in range(self.size) if is_eog(handle, t)) - guessed
        control = {
            self._text(token): token
            for token in range(self.size)
            if attribute(handle, token) & special
        }
        control.pop("", None)
        self.control: Mapping[str, int] = MappingProxyType(control)
        names = {"bos_token": self.bos, "eos_token": self.eos}
        special_texts = {
            name: self._text(token) for name, token in names.items() if token is not None
        }
        self.special: Mapping[str, str] = MappingProxyType(special_texts)
        """The texts that chat templates know as bos_token and eos_token."""

    @property
    def handle(self) -> int:
        """The llama_vocab pointer, for those who hold `owner`; ModelError once closed."""
        self.owner.check()
        return self._handle

    def encode(self, segments: Sequence[Segment], most: int | None = None) -> list[int]:
        """The tokens of a rendered prompt.

        A control segment is exactly one token; all other text never becomes one. The
        beginning-of-text token is added where the model wants it and the prompt has none.

        PromptTooLongError for a prompt that is certain to have more than `most` tokens,
        before it is encoded: that takes a minute for millions of characters, and longer
        where a vocabulary has many special tokens. Others may come out longer, too.
        """
        self.owner.check()
        if most is not None and (least := self._least_tokens(segments, most)) > most:
            raise too_long(f"at least {least:,} tokens", most)
        tokens: list[int] = []
        for segment in segments:
            if segment.control:
                token = self.control.get(segment.text)
                if token is None:
                    raise ModelError(
                        "the prompt names a control token that the model lacks",
                        found=segment.text,
                    )
                tokens.append(token)
            else:
                for text in self._composed(segment.text):
                    tokens += self.encode_text(text)
        if self.adds_bos and self.bos is not None and tokens[:1] != [self.bos]:
            tokens.insert(0, self.bos)
        return tokens

    def _least_tokens(self, segments: Sequence[Segment], most: int) -> int:
        """A number of tokens that these cannot be below."""
        texts = [len(segment.text) for segment in segments if not segment.control]
        if not self._keeps_bytes or sum(texts) <= most * _DENSE:
            return len(segments)
        # No token stands for more than its bytes.
        longest = max(1, self.pieces.longest)
        return len(segments) - len(texts) + sum(-(-size // longest) for size in texts)

    def encode_text(self, text: str) -> list[int]:
        """The tokens of plain text, composed if the model wants it so: control tokens written
        out stay text.

        llama.cpp still matches tokens of type USER_DEFINED; chat/template.py cuts a
        stranger's text inside their spelling.
        """
        if self._composing:
            text = normalize("NFC", text)
        return self.encode_bytes(text.encode("utf-8", "surrogatepass"))

    def _composed(self, text: str) -> Sequence[str]:
        """The text, cut anew where composing it has spelled a token: K is what the kelvin sign
        becomes, and ; the Greek question mark.
        """
        if not self._composing or text.isascii() or is_normalized("NFC", text):
            return (text,)
        text = normalize("NFC", text)
        return [part.text for part in cut_prompt(text, bytes(len(text)), self.control).segments]

    def encode_bytes(self, raw: bytes) -> list[int]:
        """The tokens of plain text that may begin or end inside a character."""
        if not raw:
            self.owner.check()
            return []
        if len(raw) > _MOST_BYTES:
            raise ModelError("this text is too long", found=f"{len(raw)} bytes")
        room = len(raw) + 8  # never more tokens than bytes, but for a leading space
        tokens = (ctypes.c_int32 * room)()
        with self.owner:
            count = self._api.llama_tokenize(
                self._handle, raw, len(raw), tokens, room, False, False
            )
        if count < 0:
            raise ModelError("the model's vocabulary cannot write this text")
        return tokens[:count]

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for, of any length; a special token's own text."""
        self.owner.check()
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._piece(token)
        return piece

    @cached_property
    def pieces(self) -> Pieces:
        """The bytes of all tokens."""
        from qwq_gguf.engine.llama.pieces import Pieces

        return Pieces([self.piece(token) for token in range(self.size)])

    def blank_tokens(self) -> frozenset[int]:
        """The tokens that show nothing: white space, control tokens, no bytes at all."""
        return self.pieces.blank.union(self.control.values(), self.eog)

    def beginning_tokens(self, texts: tuple[str, ...]) -> frozenset[int]:
        """The tokens with which one of these texts may begin, white space before it or not."""
        return self.pieces.beginning(texts) if texts else frozenset()

    def only_token(self, text: str) -> int:
        """The token that is this text: a special one written so, or all that it encodes to.

        ChainError when it takes several.
        """
        token = self.token_id(text)
        if token is not None:
            return token
        tokens = self.encode_text(text)
        if len(tokens) != 1:
            parts = " ".join(f"{t}={self.piece(t).decode('utf-8', 'replace')!r}" for t in tokens)
            raise ChainError(
                f"logit_bias: {text!r:.80} is not one token in this model's vocabulary",
                found=parts[:200] or "none",
                hint="name tokens by their id; a blank in front makes another token",
            )
        return tokens[0]

    def token_id(self, text: str) -> int | None:
        """The special token written like this, or None."""
        return self.control.get(text)

    def text(self, token: int) -> str:
        """The token as the vocabulary writes it: a special token's own text."""
        self._check_token(token)
        with self.owner:
            return self._text(token)

    def _text(self, token: int) -> str:
        raw: bytes | None = self._api.llama_vocab_get_text(self._handle, token)
        return (raw or b"").decode("utf-8", "replace")

    def _piece(self, token: int) -> bytes:
        self._check_token(token)
        to_piece = self._api.llama_token_to_piece
        # One for each call: sessions in several threads ask at the same moment.
        buffer = ctypes.create_string_buffer(256)
        with self.owner:
            count = to_piece(self._handle, token, buffer, len(buffer), 0, True)
            if count < 0:
                buffer = ctypes.create_string_buffer(-count)
                count = to_piece(self._handle, token, buffer, -count, 0, True)
        return ctypes.string_at(buffer, max(0, count))

    def _check_token(self, token: int) -> None:
        if not 0 <= token < self.size:
            raise ValueError(f"{token} is not a token of this model")

    def _special(self, getter: Any) -> int | None:
        token: int = getter(self._handle)
        return token if 0 <= token < self.size else None


def too_long(found: str, most: int) -> PromptTooLongError:
    """The error for a prompt that has more tokens than the context has room for."""
    return PromptTooLongError(
        "the prompt does not fit the context",
        found=found,
        expected=f"at most {most}",
        hint="shorten it, or give it more room with -c",
    )
