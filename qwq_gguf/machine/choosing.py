"""Which of a model's recipes, contexts and cache types to take on a machine. Pure.

A configuration is good for a reasoning model only if its thoughts fit into the context: one that
cannot hold the expected thought is shown with what it lacks, and never recommended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.machine.devices import Machine
from qwq_gguf.machine.model_size import ModelShape, WeightBytes
from qwq_gguf.machine.placing import Placement, most_context, place
from qwq_gguf.machine.speed import seconds_a_token
from qwq_gguf.machine.thought_lengths import ThoughtLength

__all__ = ["Candidate", "Row", "Wanted", "best_row", "ladder", "row_of"]

# Question and answer beside a thought.
_BESIDE = 1024
# Below it a thought of 5,000 tokens takes longer than a person waits: ten minutes.
_COMFORT = 8.0
# Beyond it more bits change nothing that is measured; small models feel quantization more.
# https://github.com/ggml-org/llama.cpp/blob/master/tools/quantize/README.md
_ENOUGH_BITS, _SMALL, _SMALL_BITS = 6.7, 4e9, 9.0
# Four bits think as well as sixteen; at three, thoughts grow longer and answers worse, more so in
# small models (arXiv 2504.04823). Tried in this order, if they are quick enough.
_THINKING_BITS = (4.3, 3.4)
# Formats that others of the same size are better than; a file in one may be all there is.
_OUTDONE = frozenset({"Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL", "F32"})
_LEAST = 512
_WORTH_IT = 1.1  # as fast: below it an estimate is not sure enough to count


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the context is to be: `usual` tokens where they fit, at least what a thought takes.

    `context` and `kind` are the user's, None where it is left to us, and so are `gpu_layers`.
    """

    usual: int
    thought: ThoughtLength
    context: int | None = None
    kind: GgmlType | None = None
    gpu_layers: int | None = None

    @property
    def least(self) -> int:
        """Tokens that a typical thought takes with its question and answer."""
        return self.thought.typical + _BESIDE


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recipe, or the file that there is, with what it takes on a disk. `surpassed`: another
    recipe keeps more of this model in no more bytes.
    """

    recipe: str
    file_bytes: int
    parameters: int
    weights: WeightBytes
    surpassed: bool = False

    @property
    def bits(self) -> float:
        """Bits a weight."""
        return 8 * self.weights.total / max(1, self.parameters)

    @property
    def outdone(self) -> bool:
        """Whether another of its size is better, for this model or for any."""
        return self.surpassed or self.recipe in _OUTDONE


@dataclass(frozen=True, slots=True)
class Row:
    """What becomes of a candidate: where it goes, how long its context can be with the same
    layers on cards (`most`), tokens a second; whether it holds a typical thought (`enough`), and a
    long one (`ample`). Without a place it is too large. `in_q8_0` are the tokens a second with a
    cache of that type, 0 where it is no quicker, or was not timed.
    """

    candidate: Candidate
    placed: Placement | None
    most: int = 0
    speed: float = 0.0
    enough: bool = False
    ample: bool = False
    in_q8_0: float = 0.0

    def seconds(self, tokens: int) -> float:
        """How long so many tokens take."""
        return tokens / self.speed if self.speed else 0.0


def row_of(shape: ModelShape, candidate: Candidate, machine: Machine, wanted: Wanted) -> Row:
    """The best that a machine can do with a candidate."""
    placed = next(_tries(shape, candidate.weights, machine, wanted), None)
    if placed is None:
        return Row(candidate, None)
    limit = shape.trained or placed.context
    half = min(wanted.thought.typical, placed.context) // 2
    speed = 1 / seconds_a_token(shape, candidate.weights, machine, placed, half)
    return Row(
        candidate,
        placed,
        most_context(shape, candidate.weights, machine, placed.kind, limit, like=placed),
        speed,
        placed.context >= wanted.least,
        placed.context >= wanted.thought.long + _BESIDE,
        _in_q8_0(shape, candidate, machine, placed, half, speed * _WORTH_IT, wanted),
    )


def _in_q8_0(
    shape: ModelShape,
    candidate: Candidate,
    machine: Machine,
    placed: Placement,
    tokens: int,
    least: float,
    wanted: Wanted,
) -> float:
    """llama.cpp attends to f16 numbers several times as slowly on some processors and sizes of
    heads. Only where that was timed: an estimate by bytes alone would always say so.
    """
    left_to_us = wanted.kind is None and placed.kind is GgmlType.F16
    if not left_to_us or machine.ram.pace is None or placed.gpu_layers:
        return 0.0
    if not shape.cache.takes(GgmlType.Q8_0):
        return 0.0
    other = replace(placed, kind=GgmlType.Q8_0)
    speed = 1 / seconds_a_token(shape, candidate.weights, machine, other, tokens)
    return speed if speed >= least else 0.0


def ladder(
    shape: ModelShape, candidate: Candidate, machine: Machine, wanted: Wanted
) -> Iterator[Placement]:
    """Places for a model, each smaller than the last: what to try when one is refused."""
    last: Placement | None = None
    for placed in _tries(shape, candidate.weights, machine, wanted):
        if last is None or placed.total < last.total or placed.gpu_layers < last.gpu_layers:
            last = placed
            yield placed


def best_row(rows: Sequence[Row]) -> Row | None:
    """The one to recommend; None where no context holds a thought.

    The most bits that are of use, if they are quick enough; else of those with bits enough to
    think with what is quickest, or nearly so.
    """
    able = [row for row in rows if row.placed is not None and row.enough]
    able = [row for row in able if not row.candidate.outdone] or able
    able = [row for row in able if row.ample] or able
    if not able:
        return None
    small = able[0].candidate.parameters < _SMALL
    most = _SMALL_BITS if small else _ENOUGH_BITS
    useful = [row for row in able if row.candidate.bits <= most] or able
    useful = sorted(useful, key=lambda row: row.candidate.bits, reverse=True)
    for least in _THINKING_BITS:
        for row in useful:
            if row.candidate.bits >= least and row.speed >= _COMFORT:
                return row
    thinking = [row for row in useful if row.candidate.bits >= _THINKING_BITS[0]]
    # A little quicker, by an estimate, is not worth fewer bits.
    least = max((row.speed for row in thinking), default=0.0) / _WORTH_IT
    return next((row for row in thinking if row.speed >= least), useful[0])


def _tries(
    shape: ModelShape, weights: WeightBytes, machine: Machine, wanted: Wanted
) -> Iterator[Placement]:
    """Placements from the best on: the usual context in f16 on cards, then in fewer bits, then
    shorter, then with layers in main memory; those too short for a thought last.
    """
    contexts = _contexts(shape, wanted)
    least = min(wanted.least, max(contexts))
    # A thought that is cut off is worth nothing, however fast it was.
    for some in ([n for n in contexts if n >= least], [n for n in contexts if n < least]):
        for on_cards in (True, False) if machine.cards else (False,):
            for context in some:
                for kind in _kinds(shape, wanted):
                    layers = shape.layers + 1 if on_cards else wanted.gpu_layers
                    if on_cards and wanted.gpu_layers not in (None, layers):
                        continue
                    found = place(shape, weights, machine, context, kind, gpu_layers=layers)
                    if found is not None and found.all_on_cards >= on_cards:
                        yield found


def _kinds(shape: ModelShape, wanted: Wanted) -> tuple[GgmlType, ...]:
    if wanted.kind is not None:
        return (wanted.kind,)
    half = shape.cache.takes(GgmlType.Q8_0)
    return (GgmlType.F16, GgmlType.Q8_0) if half else (GgmlType.F16,)


def _contexts(shape: ModelShape, wanted: Wanted) -> list[int]:
    if wanted.context is not None:
        return [wanted.context]
    trained = shape.trained or wanted.usual
    usual = min(wanted.usual, trained)
    least = min(wanted.least, usual)
    steps = [usual, (usual + least) // 2 // 256 * 256, least]
    while steps[-1] > _LEAST:
        steps.append(max(_LEAST, steps[-1] // 2))
    return sorted({step for step in steps if step > 0}, reverse=True)
