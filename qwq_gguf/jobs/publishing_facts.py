"""What is to be known of GGUFs before they are published: from their headers and manifests."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import PublishError
from qwq_gguf.files.reading import open_file
from qwq_gguf.words import one_line

if TYPE_CHECKING:
    from qwq_gguf.gguf_file import GgufFile
    from qwq_gguf.profiles import Resolved
    from qwq_gguf.publication.values import Origin, Quality, Quant
    from qwq_gguf.verification import Manifest

__all__ = [
    "Given",
    "find_imatrix",
    "given_models",
    "proofs_of",
    "quants_of",
    "refuse_different",
    "sha256_of",
]


@dataclass(frozen=True, slots=True)
class Given:
    """One GGUF that was named: all its parts, its header as one, its manifest if it has one."""

    parts: tuple[Path, ...]
    gguf: GgufFile
    manifest: Manifest | None

    @property
    def first(self) -> Path:
        """The file that is opened, beside which the manifest lies."""
        return self.parts[0]

    @property
    def imatrix(self) -> tuple[str, str] | None:
        """Name and SHA-256 of the importance matrix that its manifest names."""
        told = None if self.manifest is None else self.manifest.options.get("imatrix")
        if not isinstance(told, dict):
            return None
        name, digest = told.get("name"), told.get("sha256")
        return (name, digest) if isinstance(name, str) and isinstance(digest, str) else None


def given_models(files: Sequence[Path]) -> tuple[Given, ...]:
    """The models that `files` are or belong to, each once. GgufError, ManifestError, and
    PublishError for a file that its manifest cannot be about.
    """
    from qwq_gguf.checkpoint import locate_gguf
    from qwq_gguf.gguf_file import read_splits
    from qwq_gguf.verification.check import read_manifest

    found: dict[Path, Given] = {}
    for path in files:
        located = locate_gguf(path)
        if located.path.resolve() in found:
            continue
        model = read_splits(located.path)
        given = Given(located.parts, model.whole, read_manifest(located.path))
        _refuse_other_manifest(given)
        found[located.path.resolve()] = given
    return tuple(found.values())


def _refuse_other_manifest(given: Given) -> None:
    manifest = given.manifest
    if manifest is None:
        return
    told = [(file.name, file.file.nbytes) for file in manifest.files]
    seen = [(part.name, part.stat().st_size) for part in given.parts]
    if told != seen or manifest.pending is not None:
        raise PublishError(
            "the manifest beside this file is not about it",
            path=given.first,
            found=", ".join(f"{name} of {nbytes:,} bytes" for name, nbytes in seen[:3]),
            expected=", ".join(f"{one_line(name)} of {size:,} bytes" for name, size in told[:3]),
            hint=f"qwq-gguf verify {given.first} shows what differs; without the manifest it "
            "can be published, too",
        )


def refuse_different(models: Sequence[Given], profiles: Sequence[Resolved]) -> None:
    """PublishError where they are no quants of one model, to be run in one way."""
    first = models[0]
    for given, resolved in zip(models, profiles, strict=True):
        for what, ours, theirs in (
            ("architecture", first.gguf.architecture, given.gguf.architecture),
            ("shapes of tensors", _shapes(first.gguf), _shapes(given.gguf)),
            ("chat template", _template(first.gguf), _template(given.gguf)),
            ("settings", profiles[0].profile.chain, resolved.profile.chain),
        ):
            if ours != theirs:
                raise PublishError(
                    f"these are two models: another {what}",
                    path=given.first,
                    expected=f"quants of the model in {first.first.name}",
                    hint="a repository each; `qwq-gguf verify A --against B` shows what differs",
                )


def _shapes(gguf: GgufFile) -> dict[str, tuple[int, ...]]:
    return {tensor.name: tuple(tensor.shape) for tensor in gguf.tensors}


def _template(gguf: GgufFile) -> str | None:
    return gguf.text("tokenizer.chat_template")


def quants_of(models: Sequence[Given], quality: Mapping[str, Quality]) -> tuple[Quant, ...]:
    """The rows of the card's table."""
    from qwq_gguf.checkpoint.hub.gguf import gguf_choices, tag_of
    from qwq_gguf.checkpoint.hub.snapshot import HubFile
    from qwq_gguf.gguf_file.summary import file_type_name
    from qwq_gguf.jobs.cards_that_fit import smallest_card
    from qwq_gguf.publication.values import Quant

    listed = {part.name: HubFile(part.name) for given in models for part in given.parts}
    choices = {choice.files[0]: choice for choice in gguf_choices(listed)}
    quants = []
    for given in models:
        name = given.first.name
        weights = sum(tensor.weights for tensor in given.gguf.tensors)
        data = sum(tensor.nbytes for tensor in given.gguf.tensors)
        choice = choices.get(name)
        origin = None if given.manifest is None else _origin(given.manifest)
        label = origin.recipe if origin is not None else file_type_name(given.gguf)
        quants.append(
            Quant(
                label=label or name,
                tag=name if choice is None else tag_of(choice, listed),
                files=tuple(part.name for part in given.parts),
                nbytes=sum(part.stat().st_size for part in given.parts),
                bits=8 * data / max(1, weights),
                room=smallest_card(given.gguf),
                origin=origin,
                quality=quality.get(name),
                proofs=tuple(path.name for path, _ in proofs_of(given)),
            )
        )
    return tuple(quants)


def proofs_of(given: Given) -> list[tuple[Path, str]]:
    """What lies beside a GGUF and says how it was made."""
    from qwq_gguf.verification import manifest_path
    from qwq_gguf.verification.attestation.beside import attestations_beside

    found = [] if given.manifest is None else [(manifest_path(given.first), "manifest")]
    return [*found, *((path, "attestation") for path in attestations_beside(given.first))]


def _origin(manifest: Manifest) -> Origin:
    from qwq_gguf.publication.values import Origin

    imatrix: Any = manifest.options.get("imatrix")
    named = imatrix.get("name") if isinstance(imatrix, dict) else None
    return Origin(
        source=manifest.source.name,
        commit=manifest.source.commit,
        recipe=manifest.recipe,
        program=f"qwq-gguf {manifest.versions.get('qwq-gguf', '')}".strip(),
        imatrix=named if isinstance(named, str) else None,
        sha256=tuple(file.file.sha256 for file in manifest.files),
    )


def find_imatrix(models: Sequence[Given], given: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The importance matrices to send: those that are `given`, and those of the manifests that
    lie beside the GGUFs; and the names of those that could not be found.

    PublishError for one that none of the files was made with.
    """
    wanted = {model.imatrix[1]: model.imatrix[0] for model in models if model.imatrix is not None}
    found: dict[str, Path] = {}
    for path in given:
        digest = sha256_of(path)
        if wanted and digest not in wanted:
            raise PublishError(
                "none of these files was made with this importance matrix",
                path=path,
                found=f"sha256 {digest}",
                expected=" or ".join(f"{one_line(name)}: {sha}" for sha, name in wanted.items()),
            )
        found[digest] = path
    for digest, name in wanted.items():
        for model in models:
            beside = model.first.with_name(Path(name).name)
            if digest not in found and beside.is_file() and sha256_of(beside) == digest:
                found[digest] = beside
    missing = [one_line(name) for digest, name in wanted.items() if digest not in found]
    return list(found.values()), missing


def sha256_of(path: Path) -> str:
    """The digest of a file. PublishError where it cannot be read."""
    try:
        with os.fdopen(open_file(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        raise PublishError(f"cannot be read: {problem.strerror or problem}", path=path) from problem
