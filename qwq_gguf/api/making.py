"""`quantize` and `plan`: from a checkpoint or a GGUF to GGUF files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.api.calls import (
    Listener,
    check_flags,
    check_numbers,
    in_python,
    reporting,
)
from qwq_gguf.api.wanted import RecipeLike, wanted_of
from qwq_gguf.errors import UsageError
from qwq_gguf.jobs.events import Event, Kept, Note, Said, Warned, Wrote
from qwq_gguf.jobs.output_paths import DEFAULT_RECIPE
from qwq_gguf.jobs.planning import plan_models
from qwq_gguf.jobs.quantizing import How, make

if TYPE_CHECKING:
    from qwq_gguf.quantization.planning.plan import Plan

__all__ = ["QuantizeResult", "plan", "quantize"]


@dataclass(frozen=True, slots=True)
class QuantizeResult:
    """What `quantize` made.

    `path` is the first file and `paths` are all of them, in order: more than one of a model
    that was split, and of several recipes. `file_bytes` is the size of all together.
    `digests` has the SHA-256 of each file by its name, nothing where no manifest was wanted.
    `written` are the files beside them: manifests and Modelfiles. `remarks` are sentences
    about what the files say otherwise than their source, and what else one should know.
    """

    paths: tuple[Path, ...]
    file_bytes: int
    digests: Mapping[str, str]
    written: tuple[Path, ...]
    remarks: tuple[str, ...]
    plans: tuple[Plan, ...] = field(repr=False)

    @property
    def path(self) -> Path:
        """The first file."""
        return self.paths[0]


def quantize(
    source: str | Path,
    out: str | Path | None = None,
    recipe: RecipeLike | Sequence[RecipeLike] = DEFAULT_RECIPE,
    *,
    name: str | None = None,
    imatrix: str | Path | None = None,
    tensor_types: Sequence[str] = (),
    output_tensor_type: str | None = None,
    token_embedding_type: str | None = None,
    pure: bool = False,
    override_kv: Sequence[str] = (),
    profile: str | Path = "auto",
    sampling_metadata: bool = True,
    repair: bool = True,
    split_max_size: int | None = None,
    split_max_tensors: int | None = None,
    no_tensor_first_split: bool = False,
    stream: bool = False,
    lora: str | Path | Sequence[str | Path] = (),
    allow_requantize: bool = False,
    force: bool = False,
    resume: bool = True,
    threads: int | None = None,
    max_memory: int | None = None,
    kernels: str = "auto",
    manifest: bool = True,
    modelfile: bool = True,
    revision: str | None = None,
    token: str | None = None,
    progress: Listener = None,
) -> QuantizeResult:
    """Make a GGUF of a checkpoint, or of a larger GGUF; the same as `qwq-gguf quantize`.

    `source` is a folder, a name on the Hub, "demo", or a GGUF. `out` is the file to write or
    its folder; unless given it is `<Name>-<RECIPE>.gguf` here. Of several recipes the weights
    are read once for all. `tensor_types` are "REGEX=TYPE" and `override_kv`
    "KEY=TYPE:VALUE", as on the command line; `lora` is the folder of a LoRA adapter that is
    merged, or several, one after the other; `split_max_size` and `max_memory` are in bytes.
    A file that exists stays, unless `force`; an unfinished one is gone on with.

    Errors are those of the command: SourceError in its kinds, RecipeError, PlanError,
    OutputError, MemoryLimitError; UsageError for arguments that do not go together.
    """
    with in_python():
        wanted = wanted_of(
            source,
            recipe,
            out=out,
            name=name,
            imatrix=imatrix,
            tensor_types=tensor_types,
            output_type=output_tensor_type,
            token_type=token_embedding_type,
            pure=pure,
            override_kv=override_kv,
            profile=profile,
            sampling_metadata=sampling_metadata,
            repair=repair,
            split=(split_max_size, split_max_tensors, no_tensor_first_split),
            stream=stream,
            lora=lora,
            requantize=allow_requantize,
            revision=revision,
            token=token,
        )
        check_numbers(threads=threads, max_memory=max_memory)
        check_flags(force=force, resume=resume, manifest=manifest, modelfile=modelfile)
        if kernels not in ("auto", "numba", "ggml"):
            raise UsageError(f"kernels is auto, numba or ggml, not {kernels!r}")
        how = How(
            force=force,
            resume=resume,
            threads=threads,
            max_memory=max_memory,
            kernels=kernels,
            manifest=manifest,
            modelfile=modelfile,
        )
        heard = _Heard(reporting(progress))
        planned = plan_models(wanted)
        for event in planned.source.announcements():
            heard(event)
        made = make(planned, how, heard)
    return QuantizeResult(
        paths=tuple(path for each in made for path in each.job.files),
        file_bytes=sum(each.summary.file_bytes for each in made),
        digests={
            record.name: record.file.sha256
            for each in made
            if each.manifest is not None
            for record in each.manifest.files
        },
        written=tuple(heard.written),
        remarks=(*planned.changes, *planned.notes, *planned.warnings, *heard.said),
        plans=tuple(each.job.plan for each in made),
    )


def plan(
    source: str | Path,
    recipe: RecipeLike = DEFAULT_RECIPE,
    *,
    name: str | None = None,
    imatrix: str | Path | None = None,
    tensor_types: Sequence[str] = (),
    output_tensor_type: str | None = None,
    token_embedding_type: str | None = None,
    pure: bool = False,
    override_kv: Sequence[str] = (),
    profile: str | Path = "auto",
    sampling_metadata: bool = True,
    repair: bool = True,
    split_max_size: int | None = None,
    split_max_tensors: int | None = None,
    no_tensor_first_split: bool = False,
    lora: str | Path | Sequence[str | Path] = (),
    allow_requantize: bool = False,
    revision: str | None = None,
    token: str | None = None,
) -> Plan:
    """What `quantize` would make with the same arguments, to the byte: `qwq-gguf quantize
    --dry-run`. Headers are read and nothing else; of a model on the Hub, no weights.

    The result has the type, size and place of each tensor, each key, `file_bytes`,
    `bits_per_weight` and `to_json()`.
    """
    with in_python():
        wanted = wanted_of(
            source,
            recipe,
            name=name,
            imatrix=imatrix,
            tensor_types=tensor_types,
            output_type=output_tensor_type,
            token_type=token_embedding_type,
            pure=pure,
            override_kv=override_kv,
            profile=profile,
            sampling_metadata=sampling_metadata,
            repair=repair,
            split=(split_max_size, split_max_tensors, no_tensor_first_split),
            lora=lora,
            requantize=allow_requantize,
            revision=revision,
            token=token,
        )
        if len(wanted.recipes) > 1:
            raise UsageError("a plan is of one recipe", hint="call plan once for each")
        return plan_models(wanted).jobs[0].plan


class _Heard:
    """Passes events on, and keeps the sentences and files of them."""

    def __init__(self, report: Listener) -> None:
        self._report = report
        self.said: list[str] = []
        self.written: list[Path] = []

    def __call__(self, event: Event) -> None:
        match event:
            case Said(text=text) | Note(text=text) | Warned(text=text):
                self.said.append(text)
            case Wrote(path=path):
                self.written.append(path)
            case Kept(path=path):
                self.said.append(f"{path} is there already and stays (force=True replaces it)")
        if callable(self._report):
            self._report(event)
