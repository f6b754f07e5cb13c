"""Which GGUF of a repository a name means. Pure: works on the listing alone.

`org/name-GGUF` means Q4_K_M, else the quant nearest to it; `org/name-GGUF:IQ3_M` one quant,
in any case; `org/name-GGUF:file.gguf` one file. So does `ollama run hf.co/...`:
https://huggingface.co/docs/hub/ollama. A model in several files counts as one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from qwq_gguf.checkpoint.cut_files import refuse_repository_of_pieces
from qwq_gguf.checkpoint.hub.snapshot import HubFile
from qwq_gguf.errors import NotAGgufError
from qwq_gguf.words import human_bytes, some

__all__ = ["GgufChoice", "choose_gguf", "exact_tag", "gguf_choices", "split_parts", "tag_of"]

_SPLIT = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf", re.IGNORECASE)
_QUANT = re.compile(
    r"(?<![A-Za-z0-9])"
    r"((?:UD-)?(?:I?Q\d(?:_[A-Z0-9]{1,4})*|TQ\d_\d|MXFP4(?:_MOE)?|BF16|FP?16|FP?32))"
    r"(?![A-Za-z0-9])",
    re.IGNORECASE,
)
# What lies beside models: their eyes, and the statistics they were quantized with.
_EYES = re.compile(r"(^|[-._])mmproj([-._]|$)", re.IGNORECASE)
_STATISTICS = re.compile(r"(^|[-._])imatrix([-._]|$)", re.IGNORECASE)
# Q4_K_M, then what is near it in size and quality; whole numbers only when nothing else is there.
_NEAREST = (
    "Q4_K_M", "Q4_K_XL", "Q4_K_L", "Q4_K_S", "Q5_K_M", "IQ4_XS", "IQ4_NL", "Q4_1", "Q4_0",
    "Q5_K_XL", "Q5_K_L", "Q5_K_S", "Q5_1", "Q5_0", "MXFP4_MOE", "MXFP4", "Q6_K_XL", "Q6_K_L",
    "Q6_K", "Q8_K_XL", "Q8_0", "Q3_K_XL", "Q3_K_L", "Q3_K_M", "IQ3_M", "Q3_K_S", "IQ3_S",
    "IQ3_XS", "IQ3_XXS", "Q2_K_XL", "Q2_K_L", "Q2_K", "IQ2_M", "Q2_K_S", "IQ2_S", "IQ2_XS",
    "IQ2_XXS", "IQ1_M", "IQ1_S", "BF16", "F16", "F32",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GgufChoice:
    """One model of a repository. `quant` is upper case, empty where the name tells none.

    `files` in order, the first being the one that is opened; `size` in bytes, None if a
    part's is not known.
    """

    quant: str
    files: tuple[str, ...]
    size: int | None = None

    @property
    def label(self) -> str:
        """For a list: `Q4_K_M (18.5 GiB)`."""
        name = self.quant or PurePosixPath(self.files[0]).name
        parts = f", {len(self.files)} files" if len(self.files) > 1 else ""
        size = "" if self.size is None else human_bytes(self.size)
        return f"{name} ({size}{parts})" if size else name


def split_parts(name: str) -> tuple[str, ...] | None:
    """All file names of the split model that `name` is a part of; None for a whole one."""
    match = _SPLIT.fullmatch(name)
    if match is None:
        return None
    stem, number, total = match.group(1), int(match.group(2)), int(match.group(3))
    if not 1 <= number <= total <= 10_000:
        return None
    ending = name[-len(".gguf") :]
    return tuple(f"{stem}-{part:05d}-of-{total:05d}{ending}" for part in range(1, total + 1))


def gguf_choices(files: Mapping[str, HubFile]) -> tuple[GgufChoice, ...]:
    """The whole models among `files`, those nearest to Q4_K_M first.

    A split model of which a part is missing is none.
    """
    choices: dict[tuple[str, ...], GgufChoice] = {}
    for name in sorted(files):
        if not _is_model(name):
            continue
        parts = split_parts(name) or (name,)
        if parts in choices or not all(part in files for part in parts):
            continue
        sizes = [files[part].size for part in parts]
        size = None if None in sizes else sum(size or 0 for size in sizes)
        choices[parts] = GgufChoice(_quant(parts[0]), parts, size)
    return tuple(sorted(choices.values(), key=_order))


def choose_gguf(files: Mapping[str, HubFile], tag: str | None, repo: str) -> GgufChoice:
    """The model that `repo:tag` means; NotAGgufError, with what there is, for none or several."""
    choices = gguf_choices(files)
    if not choices:
        refuse_repository_of_pieces(repo, files)
        raise NotAGgufError("there is no GGUF file in this repository", path=repo)
    if tag is None:
        fitting = [choice for choice in choices if choice.quant == choices[0].quant]
    elif tag.lower().endswith(".gguf"):
        fitting = [choice for choice in choices if _is_file(choice, tag)]
    else:
        wanted = _upper(tag)
        fitting = [choice for choice in choices if choice.quant == wanted]
        fitting = fitting or [choice for choice in choices if choice.quant == f"UD-{wanted}"]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise NotAGgufError(
            "there is no such GGUF in this repository",
            path=repo,
            found=tag,
            expected="one of " + some((choice.label for choice in choices), 40),
            hint=f"{repo}:{choices[0].quant or choices[0].files[0]}",
        )
    names = [choice.files[0] for choice in fitting]
    raise NotAGgufError(
        f"this may mean {len(fitting)} files of the repository",
        path=repo,
        expected="one of " + some(names, 40),
        hint=f"{repo}:{names[0]}",
    )


def tag_of(choice: GgufChoice, files: Mapping[str, HubFile]) -> str:
    """The shortest tag that means `choice` among `files`: its quant, else its file's name."""
    alike = [other for other in gguf_choices(files) if other.quant == choice.quant]
    return choice.quant if choice.quant and len(alike) == 1 else choice.files[0]


def exact_tag(files: Mapping[str, HubFile]) -> str | None:
    """A tag that means weights which lost nothing, None where `files` has no such GGUF."""
    choices = {choice.quant: choice for choice in reversed(gguf_choices(files))}
    found = next((choices[quant] for quant in ("BF16", "F16", "F32") if quant in choices), None)
    return None if found is None else tag_of(found, files)


def _is_model(name: str) -> bool:
    if not name.lower().endswith(".gguf"):
        return False
    stem = _stem(PurePosixPath(name).name)
    return not _EYES.search(stem) and not (_STATISTICS.search(stem) and not _QUANT.search(stem))


def _is_file(choice: GgufChoice, tag: str) -> bool:
    wanted = tag.lower()
    paths = [name.lower() for name in choice.files]
    return wanted in paths or wanted in [PurePosixPath(path).name for path in paths]


def _quant(path: str) -> str:
    """The last quant in the file's name, else in its folder's."""
    stem = _stem(PurePosixPath(path).name)
    found = _QUANT.findall(stem) or _QUANT.findall(str(PurePosixPath(path).parent))
    return _upper(found[-1]) if found else ""


def _stem(name: str) -> str:
    """A file's name without its ending and its part number."""
    match = _SPLIT.fullmatch(name)
    return match.group(1) if match else name[: -len(".gguf")]


def _upper(quant: str) -> str:
    return re.sub(r"\bFP(16|32)\b", r"F\1", quant.upper())


def _order(choice: GgufChoice) -> tuple[int, bool, str]:
    plain = choice.quant.removeprefix("UD-")
    place = _NEAREST.index(plain) if plain in _NEAREST else len(_NEAREST)
    return place, choice.quant != plain, choice.files[0]
