"""`qwq-gguf quantize`: a checkpoint becomes a GGUF file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.lazy import HouseCommand, command_app
from qwq_gguf.cli.output import emit_json, note, show_table
from qwq_gguf.cli.quantize_flags import (
    ImatrixFile,
    KernelChoice,
    Kernels,
    Name,
    OutputType,
    OverrideKv,
    Pure,
    Repair,
    SamplingMetadata,
    TensorTypes,
    TokenType,
    overrides,
    read_importance,
)
from qwq_gguf.cli.recording import ManifestFlag, Recording, named_file
from qwq_gguf.cli.sources import Revision, Token, bring_weights
from qwq_gguf.cli.target import modelfile_beside, output_path, read_words
from qwq_gguf.cli.text import human_bytes, human_count, human_time

if TYPE_CHECKING:
    from qwq_gguf.quantize.plan import Plan
    from qwq_gguf.quantize.run import Summary

__all__ = ["app"]

app = command_app()


def _complete_recipe(incomplete: str) -> list[str]:
    from qwq_gguf.quantize.recipes import recipe_names

    return [name for name in recipe_names() if name.startswith(incomplete.upper())]


@app.command("quantize", cls=HouseCommand)
def quantize(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A checkpoint: a folder, org/name[@revision] on the Hub, or demo.",
        ),
    ],
    out: Annotated[
        str | None,
        typer.Argument(metavar="OUT", help="The file to write, or its folder.", show_default=False),
    ] = None,
    recipe_word: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE",
            help="The same as --recipe.",
            show_default=False,
            autocompletion=_complete_recipe,
        ),
    ] = None,
    recipe_option: Annotated[
        str | None,
        typer.Option(
            "-r",
            "--recipe",
            metavar="NAME",
            help="How small, in any case, or a recipe's .toml file.  [default: Q4_K_M]",
            show_default=False,
            autocompletion=_complete_recipe,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan of every tensor and write nothing.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The plan as one JSON object (with --dry-run).")
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option("-t", "--threads", metavar="N", min=1, help="CPU threads.  [default: all]"),
    ] = None,
    with_modelfile: Annotated[
        bool,
        typer.Option(
            "--modelfile/--no-modelfile", help="Write Ollama's Modelfile beside the GGUF."
        ),
    ] = True,
    with_manifest: ManifestFlag = True,
    tensor_types: TensorTypes = None,
    output_type: OutputType = None,
    token_type: TokenType = None,
    imatrix: ImatrixFile = None,
    pure: Pure = False,
    name: Name = None,
    override_kv: OverrideKv = None,
    sampling_metadata: SamplingMetadata = True,
    repair: Repair = True,
    kernels: Kernels = KernelChoice.AUTO,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Turn a checkpoint into a GGUF file.

    Reads the safetensors and writes the finished file in one pass, without torch and with
    little memory. OUT is ./<Name>-<RECIPE>.gguf unless given.

    \b
    Examples:
      qwq-gguf quantize demo                        the bundled tiny reasoner, Q4_K_M
      qwq-gguf quantize demo q8_0                   another recipe
      qwq-gguf quantize ~/QwQ-32B models/ -r Q8_0   into a folder
      qwq-gguf quantize ~/QwQ-32B --dry-run         the type of every tensor, the exact size
      qwq-gguf quantize ~/QwQ-32B --dry-run --json | jq .file_bytes
      qwq-gguf quantize Qwen/QwQ-32B --dry-run      from the Hub: headers, no weights
      qwq-gguf quantize Qwen/QwQ-32B
      qwq-gguf quantize Qwen/QwQ-32B -r IQ3_XS --imatrix QwQ-32B.imatrix.gguf
      qwq-gguf quantize Qwen/QwQ-32B --tensor-type 'ffn_down=Q6_K' --output-tensor-type Q8_0
    """
    if as_json and not dry_run:
        raise typer.BadParameter("--json goes with --dry-run")
    from qwq_gguf.checkpoint import open_checkpoint
    from qwq_gguf.convert.conversion import convert
    from qwq_gguf.convert.overrides import parse_override
    from qwq_gguf.prepare import prepare
    from qwq_gguf.quantize.output import NewFile
    from qwq_gguf.quantize.plan import make_plan
    from qwq_gguf.quantize.recipes import load_recipe, recipe_names

    out, recipe_name = read_words(out, recipe_word, recipe_option, recipe_names())
    recipe = load_recipe(recipe_name)
    importance = read_importance(imatrix)
    asked = overrides(tensor_types, output_type, token_type, pure=pure)
    extra = [parse_override(text) for text in override_kv or ()]
    checkpoint = open_checkpoint(source, revision=revision, token=token)
    target = output_path(out, name or checkpoint.name, recipe.name)
    prepared = prepare(
        convert(checkpoint, name=name, extra=extra),
        sampling=sampling_metadata,
        repair=repair,
        keep=[entry.key for entry in extra],
    )
    plan = make_plan(prepared.conversion, recipe, asked, imatrix=importance)
    if not as_json:
        for line in prepared.changes:
            note(f"set: {line}")
        for line in prepared.notes:
            note(f"note: {line}")
    for line in plan.warnings:
        note(f"warning: {line}")
    if not dry_run:
        NewFile(target, plan.file_bytes, force=force).check()  # before hours of download
        bring_weights(checkpoint)
        with Recording(checkpoint, wanted=with_manifest) as recording:
            _run(plan, target, recording, force=force, threads=threads, kernels=kernels)
            changes = {
                "tensor_type": tensor_types or [],
                "output_tensor_type": output_type,
                "token_embedding_type": token_type,
                "imatrix": named_file(imatrix),
                "pure": pure,
                "name": name,
                "override_kv": override_kv or [],
                "sampling_metadata": sampling_metadata,
                "repair": repair,
            }
            recording.write(target, recipe, changes)
        if with_modelfile:
            from qwq_gguf.cli.modelfile import write_beside

            write_beside(target, modelfile_beside(target), force=force)
        return
    if as_json:
        emit_json(plan.to_json())
    else:
        _show_plan(plan, target)


def _run(
    plan: Plan,
    target: Path,
    recording: Recording,
    *,
    force: bool,
    threads: int | None,
    kernels: KernelChoice,
) -> None:
    from qwq_gguf.cli.progress import WeightsBar
    from qwq_gguf.quantize.run import run_plan

    with WeightsBar(f"{plan.recipe} {target.name}") as bar:
        summary = run_plan(
            plan,
            target,
            force=force,
            threads=threads,
            progress=bar.update,
            follow=recording.follower,
            kernels=kernels.value,
        )
    _show_summary(plan, summary)


def _show_summary(plan: Plan, summary: Summary) -> None:
    rate = summary.weights / summary.seconds if summary.seconds else 0.0
    note(
        f"{summary.path}: {human_bytes(summary.file_bytes)}, "
        f"{summary.bits_per_weight:.2f} bits a weight, {human_count(summary.weights)} weights "
        f"in {human_time(summary.seconds)} ({human_count(rate)} a second)"
    )
    note(f"  {_types_line(plan)}")
    compiled = (
        f", compiled in {human_time(summary.compile_seconds)} meanwhile"
        if summary.compile_seconds >= 1
        else ""
    )
    note(f"  blocks by {summary.kernels}{compiled}")


def _types_line(plan: Plan) -> str:
    kinds = Counter(tensor.type.name for tensor in plan.tensors)
    return ", ".join(f"{number} x {kind}" for kind, number in kinds.most_common())


def _show_plan(plan: Plan, target: Path) -> None:
    show_table(
        ("tensor", "shape", "type", "bytes", "why"),
        [
            (
                tensor.name,
                " x ".join(map(str, tensor.shape)),
                tensor.type.name,
                f"{tensor.nbytes:,}",
                tensor.why,
            )
            for tensor in plan.tensors
        ],
        right="shape,bytes",
    )
    note(
        f"\n{plan.recipe}: {len(plan.tensors)} tensors ({_types_line(plan)}), "
        f"{plan.bits_per_weight:.2f} bits a weight\n"
        f"would write {target}: {plan.file_bytes:,} bytes ({human_bytes(plan.file_bytes)})"
    )
