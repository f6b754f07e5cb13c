"""The part of making an importance matrix for which a model reads.

What is done is saved beside the result as OUT.unfinished, itself an importance matrix, with a
digest of all that decides the sums. At each saving the sums are rounded as the file has them, so
a run that was ended and gone on with gives the bytes of one that was not.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import EvaluationError, QwqGgufError
from qwq_gguf.jobs.events import Activity, Meter, Note, Report, Said, Unfinished, activity
from qwq_gguf.jobs.imatrix_asked import ImatrixAsked
from qwq_gguf.jobs.measured_models import MeasuredModel, Room, find_model, load_scorer
from qwq_gguf.jobs.measured_texts import cut_traces
from qwq_gguf.jobs.scored_texts import (
    TextFile,
    beginning,
    read_text,
    sha256_of,
    text_tokens,
    windows_of,
)

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.engine.scoring.inputs import Inputs
    from qwq_gguf.engine.scoring.scorer import ScoredText, Scorer
    from qwq_gguf.quantization.planning.imatrix_sums import ImatrixSums

__all__ = ["Collecting"]

_LEAST = 16  # tokens of a window, below which nothing is summed
_FINGERPRINT, _DONE = "qwq_gguf.imatrix.made_of", "qwq_gguf.imatrix.windows_done"
_ENDS = 1 << 20  # bytes of a model's file that tell it from another, at either end


class Collecting:
    """Reads a text or traces with the model that `asked` names, in windows of `window` tokens.

    `windows` and `tokens` are how many there are, once it has run; `state` is where what is done
    is saved.
    """

    def __init__(self, asked: ImatrixAsked, report: Report, window: int) -> None:
        self._asked = asked
        self._report = report
        self._window = window
        self.state = asked.out.with_name(f"{asked.out.name}.unfinished")
        self.windows = self.tokens = 0
        self._saved = 0
        self._fingerprint = ""

    def run(self) -> ImatrixSums:
        """The sums over all that is read; what an earlier run has saved is gone on with."""
        asked = self._asked
        assert asked.source is not None
        model = find_model(asked.source, self._report, asked.revision, asked.token)
        text = None if asked.text is None else read_text(asked.text, self._window)
        traced = None if asked.traces is None else self._traced(model, asked.traces)
        if traced is None:
            room = Room.of_window(self._window, [model])
        else:
            room = Room.of_texts([len(each.tokens) for each in traced], [model])
        self._fingerprint = self._digest(model, text, room)
        inputs = self._begin()
        with ExitStack() as stack:
            loaded, scorer = load_scorer(
                stack,
                model.path,
                self._report,
                room,
                gpu_layers=asked.gpu_layers,
                threads=asked.threads,
                on_tensor=inputs.on_tensor,
            )
            texts = traced or self._cut(loaded, text)
            self._read(scorer, texts, inputs, model.file.name)
        self.windows, self.tokens = len(texts), sum(len(each.tokens) for each in texts)
        return self._sums(inputs)

    def _read(self, scorer: Scorer, texts: Sequence[ScoredText], inputs: Inputs, name: str) -> None:
        done, every = self._saved, self._asked.saved_every
        with activity(self._report, Activity.MEASURING, name, len(texts)):
            meter = Meter(self._report, Activity.MEASURING, len(texts))
            meter.passed(done, name)
            try:
                while done < len(texts):
                    before = 0
                    for number in scorer.run(texts[done : done + every]):
                        meter.passed(number - before, name)
                        before = number
                    done = min(len(texts), done + every)
                    inputs.round()
                    if done < len(texts):
                        self._save(inputs, done)
            except BaseException:
                if self._saved:
                    self._report(Unfinished(self.state, self._saved / len(texts)))
                raise

    # ----------------------------------------------------------- what is read

    def _cut(self, model: Model, text: TextFile | None) -> list[ScoredText]:
        from qwq_gguf.engine.scoring.scorer import ScoredText

        assert text is not None
        tokens, most = text_tokens(model, text), self._asked.windows
        windows = windows_of(model, tokens, self._window, most, text.path)
        return [ScoredText(beginning(model, each), 0) for each in windows]

    def _traced(self, model: MeasuredModel, path: Path) -> list[ScoredText]:
        from qwq_gguf.engine.scoring.scorer import ScoredText

        traces, _ = cut_traces(path, model.vocabulary, None, None)
        size = min(self._window, model.trained)
        parts = (
            trace.tokens[at : at + size]
            for trace in traces
            for at in range(0, len(trace.tokens), size)
        )
        texts = [ScoredText(part, 0) for part in parts if len(part) >= _LEAST]
        if not texts:
            raise EvaluationError(
                "has no reply of a length to learn from",
                path=path,
                expected=f"at least {_LEAST} tokens with the prompt",
            )
        return texts[: self._asked.windows]

    # ----------------------------------------------------------- what is saved

    def _digest(self, model: MeasuredModel, text: TextFile | None, room: Room) -> str:
        """Of everything that decides the sums."""
        from qwq_gguf.engine.llama.library import library_facts

        asked = self._asked
        facts = library_facts()
        read = text.sha256 if text is not None else sha256_of(asked.traces)
        parts = (
            *_file_ends(model.path),
            model.file.nbytes,
            read,
            self._window,
            asked.windows,
            asked.output,
            asked.saved_every,
            room,
            facts.version,
            facts.llama_version,
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def _begin(self) -> Inputs:
        """With what was saved, if it is of the same."""
        from qwq_gguf.engine.scoring.inputs import Inputs, InputSums
        from qwq_gguf.gguf_file import read_gguf
        from qwq_gguf.quantization.planning.imatrix_sums import read_sums

        fresh = Inputs(output=self._asked.output)
        if not self._asked.resume or not self.state.exists():
            return fresh
        try:
            header = read_gguf(self.state)
            done = header.integer(_DONE) or 0
            if header.text(_FINGERPRINT) != self._fingerprint or done < 1:
                self._report(Note(f"{self.state.name} is of another run: this one starts over"))
                return fresh
            found = read_sums(self.state, self._window)
        except QwqGgufError as error:
            self._report(Note(f"{self.state.name} is of no use ({error.message}): starting over"))
            return fresh
        self._saved = done
        self._report(Said(f"going on with {self.state.name}, {done} windows of which are done"))
        sums = {
            name: InputSums(entry.sums.reshape(len(entry.counts), -1), entry.counts)
            for name, entry in found.entries.items()
        }
        return Inputs(output=self._asked.output, sums=sums)

    def _save(self, inputs: Inputs, done: int) -> None:
        from qwq_gguf.files.writing import write_file
        from qwq_gguf.metadata import text, u32
        from qwq_gguf.quantization.planning.imatrix_sums import encode_imatrix

        also = (text(_FINGERPRINT, self._fingerprint), u32(_DONE, done))
        parts = encode_imatrix(self._sums(inputs), window=self._window, also=also)
        write_file(self.state, b"".join(parts), force=True)
        self._saved = done

    def _sums(self, inputs: Inputs) -> ImatrixSums:
        from qwq_gguf.quantization.planning.imatrix_sums import Entry, ImatrixSums

        path = self._asked.text or self._asked.traces
        assert path is not None
        entries = {
            name: Entry(each.sums.reshape(-1), each.counts) for name, each in inputs.sums.items()
        }
        return ImatrixSums(entries, (path.name,))


def _file_ends(path: Path) -> tuple[str, str]:
    from qwq_gguf.files.reading import open_file

    descriptor = open_file(path)
    try:
        size = os.fstat(descriptor).st_size
        ends = os.pread(descriptor, _ENDS, 0), os.pread(descriptor, _ENDS, max(0, size - _ENDS))
    finally:
        os.close(descriptor)
    return tuple(hashlib.sha256(end).hexdigest() for end in ends)  # type: ignore[return-value]
