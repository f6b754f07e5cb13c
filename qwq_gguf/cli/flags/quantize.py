"""The words and flags of `quantize`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from qwq_gguf.cli.flags.completion import complete_profile, complete_recipe, completing
from qwq_gguf.cli.flags.sources import alias_of

__all__ = [
    "AllowRequantize",
    "DryRun",
    "Force",
    "ImatrixFile",
    "Json",
    "KernelChoice",
    "Kernels",
    "Lora",
    "Name",
    "Out",
    "OutOption",
    "OutputType",
    "OverrideKv",
    "ProfileName",
    "Pure",
    "RecipeOption",
    "RecipeWord",
    "Repair",
    "Resume",
    "SamplingMetadata",
    "Source",
    "Stream",
    "TensorTypes",
    "Threads",
    "TokenType",
    "WithManifest",
    "WithModelfile",
]


def _types() -> list[str]:
    from qwq_gguf.quantization.recipes.recipe import TARGET_TYPES

    return [kind.name for kind in TARGET_TYPES]


_complete_type = completing(_types, capitals=True)


Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A checkpoint: a folder, org/name[@revision] on the Hub, or demo; or a GGUF: a "
        "file (of a split one, any), or org/name-GGUF:BF16.",
        callback=lambda source: alias_of(source),
    ),
]
Out = Annotated[
    str | None,
    typer.Argument(
        metavar="OUT",
        help="The file to write, or its folder; a folder for several recipes.",
        show_default=False,
    ),
]
OutOption = Annotated[
    str | None,
    typer.Option("-o", "--out", metavar="OUT", help="The same as OUT.", show_default=False),
]
RecipeWord = Annotated[
    str | None,
    typer.Argument(
        metavar="RECIPE",
        help="The same as --recipe.",
        show_default=False,
        autocompletion=complete_recipe,
    ),
]
RecipeOption = Annotated[
    list[str] | None,
    typer.Option(
        "-r",
        "--recipe",
        metavar="NAME",
        help="How small, in any case, or a recipe's .toml file. Repeatable: the weights are "
        "read once for all.  [default: Q4_K_M]",
        show_default=False,
        autocompletion=complete_recipe,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the plan of every tensor and write nothing.")
]
Json = Annotated[
    bool,
    typer.Option("--json", help="What was made, or with --dry-run the plan, as one JSON object."),
]
Threads = Annotated[
    int | None,
    typer.Option("-t", "--threads", metavar="N", min=1, help="CPU threads.  [default: all]"),
]
WithModelfile = Annotated[
    bool,
    typer.Option("--modelfile/--no-modelfile", help="Write Ollama's Modelfile beside the GGUF."),
]
WithManifest = Annotated[
    bool,
    typer.Option(
        "--manifest/--no-manifest",
        help="Write where the file came from, and every digest, beside it.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume/--no-resume",
        help="Go on where a run of the same command was ended, or start over.",
    ),
]
Stream = Annotated[
    bool,
    typer.Option(
        "--stream",
        help="From the Hub: delete each shard when it is used. Takes the room of the result and "
        "of two shards, and leaves nothing in the cache.",
    ),
]
TensorTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--tensor-type",
        metavar="REGEX=TYPE",
        help="Give tensors whose name matches another type; the first match wins. Repeatable.",
        show_default=False,
    ),
]
OutputType = Annotated[
    str | None,
    typer.Option(
        "--output-tensor-type",
        metavar="TYPE",
        help="The type of the output matrix.",
        show_default=False,
        autocompletion=_complete_type,
    ),
]
TokenType = Annotated[
    str | None,
    typer.Option(
        "--token-embedding-type",
        metavar="TYPE",
        help="The type of the token embedding.",
        show_default=False,
        autocompletion=_complete_type,
    ),
]
ImatrixFile = Annotated[
    str | None,
    typer.Option(
        "--imatrix",
        metavar="FILE",
        help="Weigh the columns of each matrix by this importance matrix (GGUF or .dat); "
        "the smallest recipes need one.",
        show_default=False,
    ),
]


Lora = Annotated[
    list[str] | None,
    typer.Option(
        "--lora",
        metavar="FOLDER",
        help="Merge this LoRA adapter, as PEFT saves one, into the checkpoint's weights. "
        "Repeatable: one after the other.",
        show_default=False,
    ),
]


class KernelChoice(StrEnum):
    """Who makes the blocks."""

    AUTO = "auto"
    NUMBA = "numba"
    GGML = "ggml"


Kernels = Annotated[
    KernelChoice,
    typer.Option(
        "--kernels",
        help="Who makes the blocks: our own kernels (numba), libggml's, or whichever "
        "works and is fastest. The bytes are the same.",
    ),
]
AllowRequantize = Annotated[
    bool,
    typer.Option(
        "--allow-requantize",
        help="Take a GGUF that is quantized already. The result is worse than one made from "
        "the original weights.",
    ),
]
Pure = Annotated[bool, typer.Option("--pure", help="Give every matrix the recipe's base type.")]
Name = Annotated[
    str | None,
    typer.Option(
        "--name", metavar="TEXT", help="The model's name in the file.", show_default=False
    ),
]
OverrideKv = Annotated[
    list[str] | None,
    typer.Option(
        "--kv",
        "--override-kv",
        metavar="KEY=VALUE",
        help="Set a metadata key; KEY=TYPE:VALUE (int, float, bool, str) for a new one. "
        "Repeatable.",
        show_default=False,
    ),
]
ProfileName = Annotated[
    str,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Whose sampling the file and its Modelfile carry: see `qwq-gguf profiles`, or a "
        ".toml of your own.",
        autocompletion=complete_profile,
    ),
]
SamplingMetadata = Annotated[
    bool,
    typer.Option(
        "--sampling-metadata/--no-sampling-metadata",
        help="Let a reasoning model carry its profile's sampling, or the checkpoint's own.",
    ),
]
Repair = Annotated[
    bool,
    typer.Option(
        "--repair/--no-repair", help="Put right special tokens that are known to be wrong."
    ),
]
