"""What is to be measured of quants, and what came of it, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import UsageError

if TYPE_CHECKING:
    from qwq_gguf.evaluation.quality.closing import ClosingFigures
    from qwq_gguf.evaluation.quality.figures import Figures, Perplexity
    from qwq_gguf.evaluation.quality.tally import WorstPlace

__all__ = ["QUALITY_SCHEMA", "ModelFile", "Quality", "QualityAsked", "QuantQuality", "ShownPlace"]

QUALITY_SCHEMA = "qwq-gguf/eval-quality/1"
WINDOW = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityAsked:
    """Which quants, beside which reference, on what.

    `reference` is a GGUF, or a file of base logits, as is `logits`. `text` is read in windows of
    `window` tokens, `windows` of them at most (default: all); of `traces` a window is what of
    each is read at most (default: all of it), and `windows` how many. `worst` places are kept.
    `save_logits` is replaced with `force` only. `command` is what the record of the run says it was
    made by.

    UsageError for what does not go together.
    """

    reference: str | None = None
    quants: Sequence[str] = ()
    text: Path | None = None
    traces: Path | None = None
    window: int | None = None
    windows: int | None = None
    logits: Path | None = None
    save_logits: Path | None = None
    worst: int = 5
    gpu_layers: int | None = None
    threads: int | None = None
    force: bool = False
    revision: str | None = None
    token: str | None = None
    command: str | None = None

    def __post_init__(self) -> None:
        if (self.reference is None) == (self.logits is None):
            raise UsageError("one of the two is needed: a reference model, or --logits")
        if self.text is not None and self.traces is not None:
            raise UsageError("--text and --traces: name one of them")
        if self.traces is not None and self.save_logits is not None:
            raise UsageError("--save-logits goes with --text: windows of a file are of one length")
        if self.force and self.save_logits is None:
            raise UsageError("--force goes with --save-logits")
        if self.logits is not None:
            self.refuse_beside_base(self.logits)

    def refuse_beside_base(self, base: Path) -> None:
        """UsageError for what a file of base logits has decided already."""
        for name, flag in (
            ("text", "--text"),
            ("traces", "--traces"),
            ("save_logits", "--save-logits"),
            ("window", "--ctx"),
            ("windows", "--chunks"),
        ):
            if getattr(self, name) is not None:
                raise UsageError(f"{flag} makes no sense: {base} has texts of its own")
        if not self.quants:
            raise UsageError(f"name a quant to compare with {base}")

    def refuse_without_text(self) -> None:
        """UsageError where a reference model has nothing to read."""
        if self.text is None and self.traces is None:
            raise UsageError("what is it to be measured on? --text FILE, or --traces FILE")
        if self.traces is not None and not self.quants:
            raise UsageError("--traces goes with quants to compare")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model by its file's name, its bytes, and the bits that it takes for a weight."""

    name: str
    nbytes: int
    bits: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The object that it is in JSON."""
        bits = None if self.bits is None else round(self.bits, 3)
        return {"file": self.name, "bytes": self.nbytes, "bits_per_weight": bits}


@dataclass(frozen=True, slots=True)
class ShownPlace:
    """One of the worst places, with the text before it and what its tokens stand for."""

    place: WorstPlace
    before: str
    came: str
    wanted: str
    picked: str

    def to_json(self) -> dict[str, Any]:
        """The object that it is in JSON."""
        place = self.place
        return {
            "kl_divergence": float(f"{place.kld:.6g}"),
            "text": place.text,
            "token": place.at + 1,
            "before": self.before,
            **{
                name: {
                    "text": text,
                    "token": pick.token,
                    "reference": float(f"{pick.reference:.6g}"),
                    "quant": float(f"{pick.quant:.6g}"),
                }
                for name, text, pick in (
                    ("came", self.came, place.came),
                    ("reference_wanted", self.wanted, place.wanted),
                    ("quant_wanted", self.picked, place.picked),
                )
            },
        }


@dataclass(frozen=True, slots=True)
class QuantQuality:
    """A quant's figures; `kinds` and `closing` are of traces."""

    file: ModelFile
    figures: Figures
    worst: Sequence[ShownPlace] = ()
    kinds: Mapping[str, Figures] = field(default_factory=dict)
    closing: ClosingFigures | None = None

    def to_json(self) -> dict[str, Any]:
        """The object that it is in JSON."""
        raw = {**self.file.to_json(), **self.figures.to_json()}
        if self.kinds:
            raw["kinds"] = {kind: each.to_json() for kind, each in self.kinds.items()}
            raw["closing"] = None if self.closing is None else self.closing.to_json()
        raw["worst"] = [place.to_json() for place in self.worst]
        return raw


@dataclass(frozen=True, slots=True)
class Quality:
    """All figures of a run. `read` says on what: the file's name, its digest, how it was cut; `run`
    how: models by digest (the reference first), versions, machine, command.
    """

    reference: ModelFile
    perplexity: Perplexity | None
    read: Mapping[str, Any]
    quants: Sequence[QuantQuality]
    run: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """One object, with its schema."""
        known = self.perplexity
        return {
            "schema": QUALITY_SCHEMA,
            "run": dict(self.run),
            "reference": {
                **self.reference.to_json(),
                "perplexity": None if known is None else known.value.to_json(),
            },
            "read": dict(self.read),
            "quants": [quant.to_json() for quant in self.quants],
        }
