"""Saying, under a key, that a GGUF is what its recipe makes of its source."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import QwqGgufError, UsageError
from qwq_gguf.jobs.events import Report, Wrote
from qwq_gguf.words import one_line

if TYPE_CHECKING:
    from qwq_gguf.quantization.planning.plan import Plan
    from qwq_gguf.verification import Finding, Manifest
    from qwq_gguf.verification.manifest import SourceRecord

__all__ = ["ready_key", "write_attestation", "differences_from_recipe"]


def ready_key(key: Path | None, *, new: bool, report: Report) -> Path:
    """The private key to sign with, made if it is to be a new one. UsageError where there is
    none, or no usable one.
    """
    from qwq_gguf.verification.attestation.keys import key_id, make_key, public_of

    if key is None:
        raise UsageError("--attest needs --key FILE (--new-key makes one there)")
    if new:
        public = make_key(key)
        report(Wrote(key, "your private key: keep it, and let nobody read it"))
        report(Wrote(public, "the public one: for everybody who is to trust what you sign"))
    key_id(public_of(key))
    return key


def differences_from_recipe(
    path: Path,
    manifest: Manifest | None,
    record: SourceRecord,
    source: str,
    *,
    imatrix: str | None,
    adapters: Sequence[str],
    token: str | None,
) -> list[Finding]:
    """Where a GGUF is not what the recipe and options of its manifest make of `source`, beside
    the rows of its tensors; `record` are the source's digests as they were computed now.
    """
    from qwq_gguf.gguf_file.splits import read_splits
    from qwq_gguf.verification.findings import difference
    from qwq_gguf.verification.rebuilt import compare_with_plan

    if manifest is None or manifest.pending is not None:
        what = "no manifest says which recipe and options it was made with"
        return [difference("recipe", path.name, what)]
    if manifest.source != record:
        what = f"it was made from {_called(manifest.source)}, and this is {_called(record)}"
        same = manifest.source.name, manifest.source.commit
        if same == (record.name, record.commit):
            what = "it was made from other shards than these"
        return [difference("recipe", "source", what)]
    try:
        plan, options = _planned(manifest, source, imatrix, adapters, token)
    except QwqGgufError as problem:
        return [difference("recipe", manifest.recipe, f"cannot be made again: {problem.message}")]
    unlike = sorted(
        name
        for name in {*options, *manifest.options}
        if options.get(name) != manifest.options.get(name)
    )
    if unlike:
        what = f"made with other options than can be given again: {', '.join(unlike)}"
        return [difference("recipe", "options", one_line(what, 200))]
    return compare_with_plan(read_splits(path), plan)


def write_attestation(
    path: Path, manifest: Manifest, digests: Mapping[str, str], key: Path, report: Report
) -> Path:
    """Sign and write it beside the GGUF, in the place of an earlier one by this key."""
    from qwq_gguf.files.writing import write_file
    from qwq_gguf.quantization.writing.versions import tool_versions
    from qwq_gguf.verification.attestation.beside import attestation_path
    from qwq_gguf.verification.attestation.envelope import Envelope, Signature, signed_bytes
    from qwq_gguf.verification.attestation.keys import key_id, sign
    from qwq_gguf.verification.attestation.statement import Statement

    payload = Statement.of(manifest, digests, tool_versions()).text().encode()
    signature, public = sign(key, signed_bytes(payload))
    target = attestation_path(path, public)
    envelope = Envelope(payload, (Signature(signature, public),))
    write_file(target, envelope.text(key_id(public)), force=True)
    report(Wrote(target, f"signed with key {key_id(public)[:16]}"))
    return target


def _planned(
    manifest: Manifest,
    source: str,
    imatrix: str | None,
    adapters: Sequence[str],
    token: str | None,
) -> tuple[Plan, dict[str, Any]]:
    """What would be made now with the manifest's recipe and options, and these options."""
    from qwq_gguf.jobs.planning import Wanted, plan_models
    from qwq_gguf.quantization.planning.split import SplitRule
    from qwq_gguf.quantization.recipes.language import parse_recipe

    told = manifest.options
    profile = told.get("profile")
    try:
        split = None if told["split"] is None else SplitRule(**told["split"])
        wanted = Wanted(
            source,
            recipes=(parse_recipe(manifest.recipe_text),),
            name=told["name"],
            override_kv=tuple(told["override_kv"]),
            tensor_types=tuple(told["tensor_type"]),
            output_type=told["output_tensor_type"],
            token_type=told["token_embedding_type"],
            pure=told["pure"],
            imatrix=imatrix,
            profile=profile if isinstance(profile, str) else "auto",
            sampling_metadata=told["sampling_metadata"],
            repair=told["repair"],
            split=split,
            requantize=True,
            token=token,
            adapters=tuple(adapters),
        )
        planned = plan_models(wanted)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise UsageError("the manifest's options make no sense") from problem
    return planned.jobs[0].plan, json.loads(json.dumps(dict(planned.options)))


def _called(record: SourceRecord) -> str:
    return one_line(record.name if record.commit is None else f"{record.name} at {record.commit}")
