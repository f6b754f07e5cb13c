"""The models that are measured: what their headers say, and the room that they are given."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import EvaluationError
from qwq_gguf.jobs.events import Report
from qwq_gguf.jobs.quality_asked import ModelFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwq_gguf.engine.llama.context_settings import TensorCallback
    from qwq_gguf.engine.model import Model
    from qwq_gguf.engine.scoring.scorer import Scorer
    from qwq_gguf.metadata import KeyValue

__all__ = ["MeasuredModel", "Room", "find_model", "load_scorer", "refuse_strangers"]

_TOGETHER = 512  # tokens that are computed at once, of as many texts as they are
_MOST_SEQUENCES = 16
_USUAL = 2048
_UNKNOWN = 1 << 20  # of a model that does not say for what context it was made


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """A GGUF that is here, whole or in parts. `tokens` is a digest of its vocabulary, `trained` the
    context that it was made for.
    """

    path: Path
    parts: tuple[Path, ...]
    file: ModelFile
    vocabulary: int
    tokens: str
    trained: int


@dataclass(frozen=True, slots=True)
class Room:
    """The context that a model is loaded with, for so many texts at once; `apart`: a part each."""

    context: int
    sequences: int
    apart: bool = False

    @classmethod
    def of_window(cls, window: int, models: Sequence[MeasuredModel]) -> Room:
        """For windows of a text, as many at once as fill a batch."""
        trained = min(model.trained for model in models)
        texts = max(1, min(_MOST_SEQUENCES, _TOGETHER // window, trained // window))
        return cls(texts * window, texts, apart=True)

    @classmethod
    def of_texts(cls, lengths: Sequence[int], models: Sequence[MeasuredModel]) -> Room:
        """For texts of unlike lengths."""
        trained = min(model.trained for model in models)
        context = max(*lengths, min(_USUAL, trained, sum(lengths)))
        return cls(context, min(_MOST_SEQUENCES, len(lengths)))


def find_model(
    source: str, report: Report, revision: str | None, token: str | None
) -> MeasuredModel:
    """Look a GGUF up, and fetch it if it is on the Hub."""
    from qwq_gguf.jobs.fetching import bring_gguf, gguf_header

    with gguf_header(source, revision, token, report) as (located, gguf):
        vocabulary, tokens = _vocabulary(gguf.metadata)
        trained = gguf.integer(f"{gguf.architecture}.context_length") or _UNKNOWN
    bring_gguf(located, report)
    from qwq_gguf.gguf_file import read_gguf

    nbytes = sum(part.stat().st_size for part in located.parts)
    weights = sum(tensor.weights for part in located.parts for tensor in read_gguf(part).tensors)
    file = ModelFile(located.path.name, nbytes, 8 * nbytes / weights if weights else None)
    return MeasuredModel(located.path, tuple(located.parts), file, vocabulary, tokens, trained)


def _vocabulary(metadata: Mapping[str, KeyValue]) -> tuple[int, str]:
    entry = metadata.get("tokenizer.ggml.tokens")
    texts = [] if entry is None or entry.element is None else entry.items
    digest = hashlib.sha256()
    for text in texts:
        digest.update(str(text).encode("utf-8", "surrogateescape") + b"\0")
    return len(texts), digest.hexdigest()


def refuse_strangers(
    reference: str, vocabulary: int, quants: Sequence[MeasuredModel], tokens: str | None = None
) -> None:
    """EvaluationError for a quant of another vocabulary than the reference's."""
    for quant in quants:
        if quant.vocabulary == vocabulary and tokens in (None, quant.tokens):
            continue
        alike = quant.vocabulary == vocabulary
        raise EvaluationError(
            f"{quant.file.name} is no quant of {reference}: their vocabularies differ",
            path=quant.path,
            found=f"{quant.vocabulary:,} tokens" + (", others" if alike else ""),
            expected=f"{vocabulary:,} tokens",
            hint="compare files that were made from one model",
        )


def load_scorer(
    stack: ExitStack,
    path: Path,
    report: Report,
    room: Room,
    *,
    gpu_layers: int | None,
    threads: int | None,
    on_tensor: TensorCallback | None = None,
) -> tuple[Model, Scorer]:
    """Load a model into such a room; the stack frees both."""
    from qwq_gguf.engine.scoring.scorer import Scorer
    from qwq_gguf.jobs.loading import load_model

    model = stack.enter_context(
        load_model(
            path,
            report,
            usual_context=room.context,
            context=room.context,
            gpu_layers=gpu_layers,
            threads=threads,
        )
    )
    scorer = Scorer(model, sequences=room.sequences, apart=room.apart, on_tensor=on_tensor)
    return model, stack.enter_context(scorer)
