"""What is read while quants are measured: windows of a text, those of base logits, or traces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import EvaluationError
from qwq_gguf.jobs.quality_asked import WINDOW, QualityAsked, ShownPlace
from qwq_gguf.jobs.scored_texts import TextFile, beginning, sha256_of, text_tokens, windows_of

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.engine.scoring.scorer import ScoredText
    from qwq_gguf.evaluation.quality.base_file import BaseFile
    from qwq_gguf.evaluation.quality.tally import Reply, Tally
    from qwq_gguf.evaluation.quality.traces import Trace

__all__ = ["Read", "cut_traces", "read_base", "read_traced", "read_windows", "shown", "tally_for"]

_BEFORE = 24  # tokens that are shown before a place


@dataclass(frozen=True, slots=True)
class Read:
    """Texts as they are computed, and as they stand in the file.

    `about` says what they are, for the results. `closing` is the token of the closing tag that
    thoughts of traces end with, `hesitations` those of doubt, `words` what else might stand in
    the tag's place.
    """

    texts: Sequence[ScoredText]
    tokens: Sequence[Sequence[int]]
    about: dict[str, Any]
    replies: Sequence[Reply] = ()
    closing: int | None = None
    hesitations: frozenset[int] = frozenset()
    words: dict[str, list[int]] = field(default_factory=dict)


def read_windows(asked: QualityAsked, text: TextFile, model: Model) -> Read:
    """Windows of the text, of which the second half is foretold."""
    window = asked.window or WINDOW
    tokens = text_tokens(model, text)
    windows = windows_of(model, tokens, window, asked.windows, text.path)
    about = {"text": text.path.name, "sha256": text.sha256, "tokens": len(tokens)}
    return _windows(model, windows, window, about)


def read_base(model: Model, base: BaseFile) -> Read:
    """The windows of base logits."""
    about = {"base_logits": base.path.name}
    return _windows(model, base.tokens.tolist(), base.header.window, about)


def _windows(
    model: Model, windows: Sequence[Sequence[int]], window: int, about: dict[str, Any]
) -> Read:
    from qwq_gguf.engine.scoring.scorer import ScoredText

    texts = [ScoredText(beginning(model, each), window // 2) for each in windows]
    return Read(texts, windows, {**about, "window": window, "windows": len(windows)})


def cut_traces(
    path: Path, vocabulary: int, longest: int | None, most: int | None
) -> tuple[list[Trace], int]:
    """The first `most` replies of a file, and how many of them were cut to `longest` tokens."""
    from qwq_gguf.evaluation.quality.traces import read_traces

    traces: list[Trace] = []
    cut = 0
    for trace in read_traces(path, vocabulary)[:most]:
        room = len(trace.tokens) if longest is None else longest - len(trace.prompt)
        cut += room < len(trace.reply)
        if room > 1:
            traces.append(trace._replace(reply=trace.reply[:room]))
    if not any(trace.reply and trace.prompt for trace in traces):
        raise EvaluationError("has no reply that fits", path=path, expected=f"{longest} tokens")
    return [trace for trace in traces if trace.reply and trace.prompt], cut


def read_traced(model: Model, path: Path, traces: Sequence[Trace]) -> Read:
    """Replies, of which every token is foretold."""
    from qwq_gguf.engine.marks import marked_tokens
    from qwq_gguf.engine.scoring.scorer import ScoredText
    from qwq_gguf.evaluation.quality.closing import WORDS
    from qwq_gguf.evaluation.quality.tally import Reply
    from qwq_gguf.evaluation.quality.traces import kinds_of
    from qwq_gguf.profiles import resolve, thoughts_of
    from qwq_gguf.thinking import hesitation_tokens

    profile = resolve(model.metadata, requested="auto").profile
    closing = marked_tokens(model, thoughts_of(model.metadata, profile).tags.close)
    kinds = [kinds_of(trace, closing) for trace in traces]
    encode = model.vocabulary.encode_text
    return Read(
        [ScoredText(trace.tokens, len(trace.prompt) - 1) for trace in traces],
        [trace.tokens for trace in traces],
        {
            "traces": path.name,
            "sha256": sha256_of(path),
            "replies": len(traces),
            "tokens": sum(len(trace.reply) for trace in traces),
            "closed": sum(kind.closed for kind in kinds),
        },
        [
            Reply(len(trace.prompt) - 1, kind.thought)
            for trace, kind in zip(traces, kinds, strict=True)
        ],
        closing[0],
        hesitation_tokens(encode),
        {word: _tokens(encode, word) for word in WORDS},
    )


def _tokens(encode: Callable[[str], Sequence[int]], word: str) -> list[int]:
    """The tokens that are this word, with a blank or a line end before it or not."""
    forms = (encode(before + word) for before in ("", " ", "\n", "\n\n"))
    return sorted({tokens[0] for tokens in forms if len(tokens) == 1})


def tally_for(read: Read, worst: int) -> Tally:
    """What collects a quant's figures over this."""
    from qwq_gguf.evaluation.quality.closing import Closing
    from qwq_gguf.evaluation.quality.tally import Tally

    closing = None if read.closing is None else Closing(read.closing, read.words)
    return Tally(
        read.tokens,
        worst=worst,
        replies=read.replies,
        hesitations=read.hesitations,
        closing=closing,
    )


def shown(read: Read, tally: Tally, model: Model) -> list[ShownPlace]:
    """The worst places, in text."""
    places = []
    for place in tally.worst:
        tokens = read.tokens[place.text]
        before = tokens[max(0, place.at + 1 - _BEFORE) : place.at + 1]
        texts = [
            b"".join(map(model.piece, some)).decode("utf-8", "replace")
            for some in (before, [place.came.token], [place.wanted.token], [place.picked.token])
        ]
        places.append(ShownPlace(place, *texts))
    return places
