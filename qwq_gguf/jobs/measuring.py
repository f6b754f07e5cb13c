"""Measuring quants beside the model that they were made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from qwq_gguf.jobs.evaluated import quality_record
from qwq_gguf.jobs.events import Activity, Meter, Note, Report, Said, Wrote, activity
from qwq_gguf.jobs.measured_models import (
    MeasuredModel,
    Room,
    find_model,
    load_scorer,
    refuse_strangers,
)
from qwq_gguf.jobs.measured_texts import (
    Read,
    cut_traces,
    read_base,
    read_traced,
    read_windows,
    shown,
    tally_for,
)
from qwq_gguf.jobs.quality_asked import WINDOW, ModelFile, Quality, QualityAsked, QuantQuality
from qwq_gguf.jobs.scored_texts import read_text
from qwq_gguf.words import count, human_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from qwq_gguf.engine.model import Model
    from qwq_gguf.engine.scoring.scorer import Scorer
    from qwq_gguf.evaluation.quality.base_file import BaseFile, NewBaseFile
    from qwq_gguf.evaluation.quality.passes import Passed
    from qwq_gguf.evaluation.quality.rows_on_disk import Gives, RowsOnDisk
    from qwq_gguf.evaluation.quality.tally import Tally

__all__ = ["fits_beside", "measure"]

_SHARE = 0.7  # of the free memory, which models side by side may take
_EACH = 1 << 30  # bytes of a model's buffers and cache, generously

_ReadWith: TypeAlias = "Callable[[Model], Read]"


def fits_beside(sizes: Sequence[int], available: int | None) -> bool:
    """Whether models of so many bytes can be in memory at once."""
    return available is not None and sum(sizes) + _EACH * len(sizes) <= _SHARE * available


def measure(asked: QualityAsked, report: Report) -> Quality:
    """Compare the quants with the reference.

    EvaluationError for texts or base logits that are of no use, or models that do not go
    together; what loading and writing raise. Nothing is left behind but what `save_logits` names,
    and that only when it is whole.
    """
    from qwq_gguf.evaluation.quality.base_file import BaseFile, is_base_file

    base = asked.logits
    if base is None and asked.reference is not None:
        path = Path(asked.reference)
        base = path if path.is_file() and is_base_file(path) else None
    run = _Run(asked, report)
    if base is None:
        asked.refuse_without_text()
        return run.with_model()
    asked.refuse_beside_base(base)
    with BaseFile(base) as file:
        return run.with_base(file)


@dataclass(slots=True)
class _Run:
    asked: QualityAsked
    report: Report

    def with_base(self, base: BaseFile) -> Quality:
        """Quants beside base logits that are there."""
        quants = [self._find(name) for name in self.asked.quants]
        refuse_strangers(base.path.name, base.header.vocabulary, quants)
        files = [(base.path, (base.path,)), *((quant.path, quant.parts) for quant in quants)]
        run = quality_record(self.asked, files)
        room = Room.of_window(base.header.window, quants)
        about: dict[str, Any] = {}

        def read_with(model: Model) -> Read:
            read = read_base(model, base)
            about.update(read.about)
            return read

        done = [self._second(quant, room, base, read_with) for quant in quants]
        file = ModelFile(base.path.name, base.header.file_bytes)
        return Quality(file, None, about, done, run)

    def with_model(self) -> Quality:
        """Quants beside a reference that is computed, too."""
        from qwq_gguf.evaluation.quality.figures import perplexity
        from qwq_gguf.evaluation.quality.passes import reference_pass

        assert self.asked.reference is not None
        models = [self._find(name) for name in (self.asked.reference, *self.asked.quants)]
        reference, *quants = models
        refuse_strangers(reference.file.name, reference.vocabulary, quants, reference.tokens)
        run = quality_record(self.asked, [(model.path, model.parts) for model in models])
        room, read_with = self._to_read(models)
        with ExitStack() as stack:
            with ExitStack() as first:
                model, scorer = self._load(first, reference, room)
                read = read_with(model)
                if quants and self._beside(models):
                    nll, done = self._in_step(first, reference, scorer, quants, room, read)
                    return Quality(reference.file, perplexity(nll), read.about, done, run)
                new = self._new_base(first, read, model.vocab_size)
                between = None
                if new is None and quants:
                    between = stack.enter_context(self._between(read, model.vocab_size))
                with self._passing(reference, read) as passed:
                    nll = reference_pass(scorer, read.texts, passed, new or between)
                self._commit(new)
            done = []
            if quants:
                gives = between or self._saved(stack)
                done = [self._second(quant, room, gives, lambda _: read) for quant in quants]
        return Quality(reference.file, perplexity(nll), read.about, done, run)

    def _to_read(self, models: Sequence[MeasuredModel]) -> tuple[Room, _ReadWith]:
        asked = self.asked
        file = asked.traces
        if file is None:
            assert asked.text is not None
            window = asked.window or WINDOW
            text = read_text(asked.text, window)
            return Room.of_window(window, models), lambda m: read_windows(asked, text, m)
        traces, cut = cut_traces(file, models[0].vocabulary, asked.window, asked.windows)
        if cut:
            self.report(Note(f"{count(cut, 'reply')} cut to {asked.window} tokens"))
        room = Room.of_texts([len(trace.tokens) for trace in traces], models)
        return room, lambda model: read_traced(model, file, traces)

    def _in_step(
        self,
        stack: ExitStack,
        reference: MeasuredModel,
        scorer: Scorer,
        quants: Sequence[MeasuredModel],
        room: Room,
        read: Read,
    ) -> tuple[NDArray[np.float32], list[QuantQuality]]:
        from qwq_gguf.evaluation.quality.passes import in_step

        new = self._new_base(stack, read, reference.vocabulary)
        loaded = [(*self._load(stack, quant, room), self._tally(read)) for quant in quants]
        with self._passing(reference, read) as passed:
            pairs = [(scorer, tally) for _, scorer, tally in loaded]
            nll = in_step(scorer, pairs, read.texts, passed, new)
        self._commit(new)
        done = [
            _quality(quant, read, tally, model)
            for quant, (model, _, tally) in zip(quants, loaded, strict=True)
        ]
        return nll, done

    def _second(
        self, quant: MeasuredModel, room: Room, gives: Gives, read_with: _ReadWith
    ) -> QuantQuality:
        from qwq_gguf.evaluation.quality.passes import second_pass

        with ExitStack() as stack:
            model, scorer = self._load(stack, quant, room)
            read = read_with(model)
            tally = self._tally(read)
            with self._passing(quant, read) as passed:
                second_pass(scorer, read.texts, passed, gives, tally)
            return _quality(quant, read, tally, model)

    # ------------------------------------------------------------- single steps

    def _find(self, name: str) -> MeasuredModel:
        return find_model(name, self.report, self.asked.revision, self.asked.token)

    def _load(self, stack: ExitStack, model: MeasuredModel, room: Room) -> tuple[Model, Scorer]:
        asked = self.asked
        return load_scorer(
            stack,
            model.path,
            self.report,
            room,
            gpu_layers=asked.gpu_layers,
            threads=asked.threads,
        )

    def _beside(self, models: Sequence[MeasuredModel]) -> bool:
        from qwq_gguf.engine.llama.library import library_facts
        from qwq_gguf.machine import available_memory

        if library_facts().gpu_offload and self.asked.gpu_layers != 0:
            return False  # there is no telling what a card has room for
        return fits_beside([model.file.nbytes for model in models], available_memory())

    def _tally(self, read: Read) -> Tally:
        return tally_for(read, self.asked.worst)

    @contextmanager
    def _passing(self, model: MeasuredModel, read: Read) -> Iterator[Passed]:
        name, total = model.file.name, len(read.texts)
        with activity(self.report, Activity.MEASURING, name, total):
            meter = Meter(self.report, Activity.MEASURING, total)
            yield lambda number: meter.passed(number, name)

    def _between(self, read: Read, vocabulary: int) -> RowsOnDisk:
        from qwq_gguf.evaluation.quality.rows_on_disk import RowsOnDisk

        firsts = [text.first for text in read.texts]
        rows = RowsOnDisk(firsts, [len(text.tokens) for text in read.texts], vocabulary)
        self.report(
            Said(
                f"one model after the other: {human_bytes(rows.nbytes)} in {rows.folder} "
                "until all are compared"
            )
        )
        return rows

    def _new_base(self, stack: ExitStack, read: Read, vocabulary: int) -> NewBaseFile | None:
        path = self.asked.save_logits
        if path is None:
            return None
        import numpy as np

        from qwq_gguf.evaluation.quality.base_file import BaseHeader, NewBaseFile

        header = BaseHeader(len(read.tokens[0]), vocabulary, len(read.tokens))
        self.report(Said(f"{path} is going to have {human_bytes(header.file_bytes)}"))
        tokens = np.array(read.tokens, np.int32)
        return stack.enter_context(NewBaseFile(path, header, tokens, force=self.asked.force))

    def _commit(self, new: NewBaseFile | None) -> None:
        if new is not None and self.asked.save_logits is not None:
            new.commit()
            self.report(
                Wrote(self.asked.save_logits, "base logits, as llama-perplexity reads them")
            )

    def _saved(self, stack: ExitStack) -> BaseFile:
        from qwq_gguf.evaluation.quality.base_file import BaseFile

        assert self.asked.save_logits is not None
        return stack.enter_context(BaseFile(self.asked.save_logits))


def _quality(quant: MeasuredModel, read: Read, tally: Tally, model: Model) -> QuantQuality:
    closing = tally.closing
    return QuantQuality(
        quant.file,
        tally.figures(),
        shown(read, tally, model),
        tally.kinds(),
        None if closing is None else closing.figures(),
    )
