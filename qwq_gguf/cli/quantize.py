"""`qwq-gguf quantize`: a checkpoint becomes a GGUF file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from qwq_gguf.cli.lazy import HouseCommand, command_app
from qwq_gguf.cli.memory_flags import MaxMemory, read_memory
from qwq_gguf.cli.output import emit_json, note
from qwq_gguf.cli.quantize_flags import (
    AllowRequantize,
    DryRun,
    Force,
    ImatrixFile,
    Json,
    KernelChoice,
    Kernels,
    Name,
    Out,
    OutputType,
    OverrideKv,
    ProfileName,
    Pure,
    RecipeOption,
    RecipeWord,
    Repair,
    SamplingMetadata,
    Source,
    TensorTypes,
    Threads,
    TokenType,
    WithModelfile,
    overrides,
    read_importance,
    read_profile,
)
from qwq_gguf.cli.quantize_run import How, Job, make
from qwq_gguf.cli.quantize_show import jobs_json, show_jobs, warnings
from qwq_gguf.cli.quantize_source import convert_source, open_source
from qwq_gguf.cli.recording import ManifestFlag, named_file
from qwq_gguf.cli.resuming import Resume
from qwq_gguf.cli.sources import Revision, Token
from qwq_gguf.cli.split_flags import BareFirst, MaxSize, MaxTensors, read_split
from qwq_gguf.cli.stream_flags import Stream, announce, stream_json, stream_source
from qwq_gguf.cli.target import output_paths, read_words

__all__ = ["app"]

app = command_app()


@app.command("quantize", cls=HouseCommand)
def quantize(
    source: Source,
    out: Out = None,
    recipe_word: RecipeWord = None,
    recipe_option: RecipeOption = None,
    force: Force = False,
    resume: Resume = True,
    dry_run: DryRun = False,
    as_json: Json = False,
    threads: Threads = None,
    max_memory: MaxMemory = None,
    with_modelfile: WithModelfile = True,
    with_manifest: ManifestFlag = True,
    max_size: MaxSize = None,
    max_tensors: MaxTensors = None,
    bare_first: BareFirst = False,
    tensor_types: TensorTypes = None,
    output_type: OutputType = None,
    token_type: TokenType = None,
    imatrix: ImatrixFile = None,
    pure: Pure = False,
    name: Name = None,
    override_kv: OverrideKv = None,
    profile_name: ProfileName = "auto",
    sampling_metadata: SamplingMetadata = True,
    repair: Repair = True,
    stream: Stream = False,
    requantize: AllowRequantize = False,
    kernels: Kernels = KernelChoice.AUTO,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Turn a checkpoint or a large GGUF into a GGUF file.

    Reads the weights and writes the finished file in one pass, without torch and with
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
      qwq-gguf quantize Qwen/QwQ-32B --stream       with the result's room and two shards'
      qwq-gguf quantize Qwen/QwQ-32B -r Q4_K_M -r Q6_K -r Q8_0    one reading, three files
      qwq-gguf quantize Qwen/QwQ-32B --split-max-size 8G
      qwq-gguf quantize Qwen/QwQ-32B --max-memory 512M
      qwq-gguf quantize Qwen/QwQ-32B -r IQ3_XS --imatrix QwQ-32B.imatrix.gguf
      qwq-gguf quantize Qwen/QwQ-32B --tensor-type 'ffn_down=Q6_K' --output-tensor-type Q8_0
      qwq-gguf quantize Qwen/QwQ-32B --profile qwen-llama-cpp
      qwq-gguf quantize QwQ-32B-BF16-00001-of-00002.gguf -r Q5_K_M    from anyone's GGUF
    """
    if as_json and not dry_run:
        raise typer.BadParameter("--json goes with --dry-run")
    from qwq_gguf.conversion.overrides import parse_override
    from qwq_gguf.preparation import prepare
    from qwq_gguf.quantization.planning.plan import make_plan
    from qwq_gguf.quantization.planning.requantize import check_requantizing
    from qwq_gguf.quantization.planning.split import split_plan
    from qwq_gguf.quantization.recipes.shipped import load_recipe, recipe_names

    out, named = read_words(out, recipe_word, recipe_option or (), recipe_names())
    recipes = [load_recipe(recipe) for recipe in named]
    memory = read_memory(max_memory)
    split = read_split(max_size, max_tensors, bare_first=bare_first)
    importance = read_importance(imatrix)
    profile, profile_option = read_profile(profile_name)
    asked = overrides(tensor_types, output_type, token_type, pure=pure)
    extra = [parse_override(text) for text in override_kv or ()]
    opened = open_source(source, revision=revision, token=token)
    paths = output_paths(out, name or opened.name, [recipe.name for recipe in recipes])
    if stream:
        opened = stream_source(opened, paths[0])
    prepared = prepare(
        convert_source(opened, name=name, extra=extra),
        sampling=sampling_metadata,
        repair=repair,
        keep=[entry.key for entry in extra],
        profile=profile,
    )
    plans = [
        make_plan(prepared.conversion, recipe, asked, imatrix=importance) for recipe in recipes
    ]
    again = [check_requantizing(plan, allowed=requantize) for plan in plans]
    if split is not None:
        plans = [split_plan(plan, split) for plan in plans]
    jobs = [Job(*job) for job in zip(recipes, plans, paths, strict=True)]
    if not as_json:
        for line in prepared.changes:
            note(f"set: {line}")
        for line in prepared.notes:
            note(f"note: {line}")
    for line in (*dict.fromkeys(filter(None, again)), *warnings(plans)):
        note(f"warning: {line}")
    if as_json:
        said = {"changes": list(prepared.changes), "notes": list(prepared.notes)}
        emit_json(jobs_json(jobs) | stream_json(opened) | said)
        return
    if dry_run:
        show_jobs(jobs)
    if stream:
        announce(opened, would=dry_run)
    if dry_run:
        return
    options = {
        "tensor_type": tensor_types or [],
        "output_tensor_type": output_type,
        "token_embedding_type": token_type,
        "imatrix": named_file(imatrix),
        "pure": pure,
        "name": name,
        "override_kv": override_kv or [],
        "profile": profile_option,
        "sampling_metadata": sampling_metadata,
        "repair": repair,
        "split": None if split is None else asdict(split),
    }
    make(
        jobs,
        opened,
        options,
        How(
            force=force,
            resume=resume,
            threads=threads,
            max_memory=memory,
            kernels=kernels,
            manifest=with_manifest,
            modelfile=with_modelfile,
            profile=profile,
            inputs=tuple(Path(word) for word in (imatrix, profile_name, *named) if word),
        ),
    )
