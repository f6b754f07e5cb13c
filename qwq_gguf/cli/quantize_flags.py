"""The words and flags of `quantize`, and what some mean together."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwq_gguf.cli.chain_flags import complete_profile

if TYPE_CHECKING:
    from qwq_gguf.ggml_types import GgmlType
    from qwq_gguf.profiles import Profile
    from qwq_gguf.quantization.planning.importance import Imatrix
    from qwq_gguf.quantization.planning.mix import Overrides

__all__ = [
    "AllowRequantize",
    "DryRun",
    "Force",
    "ImatrixFile",
    "Json",
    "KernelChoice",
    "Kernels",
    "Name",
    "Out",
    "OutputType",
    "OverrideKv",
    "ProfileName",
    "Pure",
    "RecipeOption",
    "RecipeWord",
    "Repair",
    "SamplingMetadata",
    "Source",
    "TensorTypes",
    "Threads",
    "TokenType",
    "WithModelfile",
    "overrides",
    "read_importance",
    "read_profile",
]


def _complete_recipe(incomplete: str) -> list[str]:
    from qwq_gguf.quantization.recipes.shipped import recipe_names

    return [name for name in recipe_names() if name.startswith(incomplete.upper())]


def _complete_type(incomplete: str) -> list[str]:
    from qwq_gguf.quantization.recipes.recipe import TARGET_TYPES

    return [kind.name for kind in TARGET_TYPES if kind.name.startswith(incomplete.upper())]


Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A checkpoint: a folder, org/name[@revision] on the Hub, or demo; or a GGUF: a "
        "file (of a split one, any), or org/name-GGUF:BF16.",
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
RecipeWord = Annotated[
    str | None,
    typer.Argument(
        metavar="RECIPE",
        help="The same as --recipe.",
        show_default=False,
        autocompletion=_complete_recipe,
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
        autocompletion=_complete_recipe,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the plan of every tensor and write nothing.")
]
Json = Annotated[bool, typer.Option("--json", help="The plan as one JSON object (with --dry-run).")]
Threads = Annotated[
    int | None,
    typer.Option("-t", "--threads", metavar="N", min=1, help="CPU threads.  [default: all]"),
]
WithModelfile = Annotated[
    bool,
    typer.Option("--modelfile/--no-modelfile", help="Write Ollama's Modelfile beside the GGUF."),
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
        "--override-kv",
        metavar="KEY=TYPE:VALUE",
        help="Set a metadata key; TYPE is int, float, bool or str. Repeatable.",
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


def overrides(
    tensor_types: Sequence[str] | None, output: str | None, token: str | None, *, pure: bool
) -> Overrides:
    """The four flags as one value; RecipeError names a type or pattern that is none."""
    from qwq_gguf.quantization.planning.mix import Overrides, parse_override
    from qwq_gguf.quantization.recipes.language import parse_type

    def kind(text: str | None) -> GgmlType | None:
        return None if text is None else parse_type(text)

    return Overrides(
        tensor_types=tuple(map(parse_override, tensor_types or ())),
        output=kind(output),
        token_embedding=kind(token),
        pure=pure,
    )


def read_importance(path: str | None) -> Imatrix | None:
    """The importance matrix in a file, None for none; ImatrixError says what is wrong."""
    if path is None:
        return None
    from qwq_gguf.quantization.planning.imatrix import read_imatrix

    return read_imatrix(path)


def read_profile(name: str) -> tuple[Profile | None, Any]:
    """The profile asked for, None for `auto`; and how a manifest tells of it.

    ProfileError when there is none.
    """
    from qwq_gguf.cli.recording import named_file
    from qwq_gguf.files import user_path
    from qwq_gguf.profiles import AUTO, load_profile, profile_names

    if name == AUTO:
        return None, AUTO
    profile = load_profile(name)
    shipped = name.lower() in profile_names()
    return profile, profile.name if shipped else named_file(str(user_path(name)))
