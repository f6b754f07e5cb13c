"""`qwq-gguf quantize`: a checkpoint becomes a GGUF file."""

from __future__ import annotations

from qwq_gguf.cli.flags.limits import (
    BareFirst,
    MaxMemory,
    MaxSize,
    MaxTensors,
    read_memory,
    read_split,
)
from qwq_gguf.cli.flags.quantize import (
    AllowRequantize,
    DryRun,
    Force,
    ImatrixFile,
    Json,
    KernelChoice,
    Kernels,
    Lora,
    Name,
    Out,
    OutOption,
    OutputType,
    OverrideKv,
    ProfileName,
    Pure,
    RecipeOption,
    RecipeWord,
    Repair,
    Resume,
    SamplingMetadata,
    Source,
    Stream,
    TensorTypes,
    Threads,
    TokenType,
    WithManifest,
    WithModelfile,
)
from qwq_gguf.cli.flags.quantize_words import read_words
from qwq_gguf.cli.flags.sources import Revision, Token
from qwq_gguf.cli.showing.quantize import (
    made_json,
    planned_json,
    show_findings,
    show_jobs,
    show_stream,
)
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit_json
from qwq_gguf.cli.terminal.telling import Terminal

__all__ = ["app"]

app = command_app()


@app.command("quantize", cls=HouseCommand)
def quantize(
    source: Source,
    out: Out = None,
    recipe_word: RecipeWord = None,
    recipe_option: RecipeOption = None,
    out_option: OutOption = None,
    force: Force = False,
    resume: Resume = True,
    dry_run: DryRun = False,
    as_json: Json = False,
    threads: Threads = None,
    max_memory: MaxMemory = None,
    with_modelfile: WithModelfile = True,
    with_manifest: WithManifest = True,
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
    lora: Lora = None,
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
      qwq-gguf quantize Qwen/QwQ-32B --lora ./my-adapter    a fine-tune, merged on the way
      qwq-gguf quantize Qwen/QwQ-32B --profile qwen-llama-cpp
      qwq-gguf quantize QwQ-32B-BF16-00001-of-00002.gguf -r Q5_K_M    from anyone's GGUF
    """
    from qwq_gguf.jobs.planning import Wanted, plan_models
    from qwq_gguf.jobs.quantizing import How, make
    from qwq_gguf.quantization.recipes.shipped import recipe_names

    out, recipes = read_words(
        out, recipe_word, recipe_option or (), recipe_names(), out_option=out_option
    )
    wanted = Wanted(
        source,
        out,
        recipes,
        name=name,
        override_kv=tuple(override_kv or ()),
        tensor_types=tuple(tensor_types or ()),
        output_type=output_type,
        token_type=token_type,
        pure=pure,
        imatrix=imatrix,
        profile=profile_name,
        sampling_metadata=sampling_metadata,
        repair=repair,
        split=read_split(max_size, max_tensors, bare_first=bare_first),
        requantize=requantize,
        stream=stream,
        revision=revision,
        token=token,
        adapters=tuple(lora or ()),
    )
    how = How(
        force=force,
        resume=resume,
        threads=threads,
        max_memory=read_memory(max_memory),
        kernels=kernels.value,
        manifest=with_manifest,
        modelfile=with_modelfile,
    )
    tell = Terminal()
    planned = plan_models(wanted, tell)
    show_findings(planned, changes=not (as_json and dry_run))
    if dry_run and as_json:
        emit_json(planned_json(planned))
    elif dry_run:
        show_jobs(planned.jobs)
        show_stream(planned, tell)
    else:
        for event in planned.source.announcements():
            tell(event)
        made = make(planned, how, tell)
        if as_json:
            emit_json(made_json(planned, made))
