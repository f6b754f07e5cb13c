"""What a model card tells, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from qwq_gguf.profiles import Profile

__all__ = ["Origin", "Published", "Quality", "Quant", "Room", "Site"]

Site: TypeAlias = Literal["hub", "modelscope"]


@dataclass(frozen=True, slots=True)
class Quality:
    """A quant beside its reference: mean KL divergence in nats, and the share of places (0 to 1)
    where both would pick the same token, None where that was not measured.
    """

    kld: float
    same_top: float | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """How a GGUF was made, as its manifest says. `sha256` is a digest for each of its files."""

    source: str
    commit: str | None
    recipe: str
    program: str
    imatrix: str | None
    sha256: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Room:
    """The smallest card that holds all of a quant and a typical thought: the context in tokens
    that it then has, kept in numbers of `kind`.
    """

    device: str
    context: int
    kind: str


@dataclass(frozen=True, slots=True)
class Quant:
    """One GGUF, in one file or several. `tag` is what means it behind `org/name:`; `bits` are
    those of a weight. `proofs` are the manifest and attestations that lie beside it.
    """

    label: str
    tag: str
    files: tuple[str, ...]
    nbytes: int
    bits: float
    room: Room | None = None
    origin: Origin | None = None
    quality: Quality | None = None
    proofs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        room, quality = self.room, self.quality
        return {
            "label": self.label,
            "tag": self.tag,
            "files": list(self.files),
            "bytes": self.nbytes,
            "bits_per_weight": round(self.bits, 3),
            "fits": None if room is None else {"device": room.device, "context": room.context},
            "kl_divergence": None if quality is None else quality.kld,
            "recipe": None if self.origin is None else self.origin.recipe,
            "proofs": list(self.proofs),
        }


@dataclass(frozen=True, slots=True)
class Published:
    """A model and all quants of it that one repository holds.

    `repo` is `org/name` on that `site`. `base` is the repository that they were made from, None
    where nobody says; `commit` its commit. Texts come from the GGUFs, so from strangers.
    """

    repo: str
    name: str
    quants: Sequence[Quant]
    profile: Profile
    base: str | None = None
    commit: str | None = None
    license: str | None = None
    license_name: str | None = None
    license_link: str | None = None
    languages: Sequence[str] = ()
    tags: Sequence[str] = ()
    thinks: bool = False
    context: int | None = None
    imatrix: Sequence[str] = ()
    ollama: Sequence[str] = ()
    unsaid: Sequence[str] = ()
    site: Site = "hub"

    @property
    def owner(self) -> str:
        """Whose repository it is."""
        return self.repo.partition("/")[0]

    @property
    def usual(self) -> Quant:
        """The quant that a name without a tag means, nearest to Q4_K_M; by its size else."""
        named = [quant for quant in self.quants if quant.label == "Q4_K_M"]
        return (named or sorted(self.quants, key=lambda each: abs(each.bits - 4.85)))[0]
