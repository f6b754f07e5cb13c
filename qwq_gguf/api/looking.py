"""What there is: `inspect`, `verify` and `export` of a GGUF, profiles and recipes by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from qwq_gguf import profiles
from qwq_gguf.api.calls import (
    Listener,
    check_flags,
    check_numbers,
    check_texts,
    in_python,
    name_of,
    names_of,
    path_of,
    reporting,
)
from qwq_gguf.jobs.exporting import Exported, Exporting, export_settings
from qwq_gguf.jobs.fitting import Fit
from qwq_gguf.jobs.fitting import fit as fit_model
from qwq_gguf.jobs.inspecting import Inspected, inspect_file
from qwq_gguf.jobs.verifying import Verified, verify_file
from qwq_gguf.profiles import Profile
from qwq_gguf.quantization.recipes import shipped
from qwq_gguf.quantization.recipes.recipe import Recipe

__all__ = ["export", "fit", "inspect", "load_profile", "load_recipe", "verify"]


def inspect(
    path: str | Path, *, revision: str | None = None, token: str | None = None
) -> Inspected:
    """What a GGUF holds, from its header: the same as `qwq-gguf inspect`.

    `path` is a file, or one on the Hub, of which the header alone is fetched. The result's
    `summary` has sizes, types, context, vocabulary, sampling, template, every key and what
    looks wrong; `to_json()` gives all of it.
    """
    with in_python(), inspect_file(name_of(path, "path"), revision, token) as found:
        # Arrays are read when they are asked for, and that has to be now.
        whole = {
            key: entry if entry.element is None else replace(entry, value=tuple(entry.items))
            for key, entry in found.summary.metadata.items()
        }
        return replace(found, summary=replace(found.summary, metadata=whole))


def fit(
    source: str | Path,
    *,
    device: str | None = None,
    ram: int | None = None,
    context: int | None = None,
    kv_type: str | None = None,
    thought: int | None = None,
    revision: str | None = None,
    token: str | None = None,
) -> Fit:
    """What of a model fits this machine, or another one: the same as `qwq-gguf fit`.

    `source` is a checkpoint or a GGUF; headers are enough. `device` names another machine ("24GB",
    "rtx3090", "2x16GB", "m3-36gb", "cpu"), `ram` is its main memory in bytes. `context` (tokens)
    and `kv_type` ("f16", "q8_0", "q4_0") are chosen unless given; `thought` is how many tokens a
    typical one has. The result has `rows`, `best` (None where no context holds a thought), `why`,
    `commands()` and `to_json()`. Speeds in it are estimates.

    UsageError for a device or type that there is none of; SourceError and GgufError as ever.
    """
    with in_python():
        check_numbers(ram=ram, context=context, thought=thought)
        check_texts(device=device, kv_type=kv_type, revision=revision, token=token)
        return fit_model(
            name_of(source),
            device=device,
            ram=ram,
            context=context,
            kv_type=kv_type,
            thought=thought,
            revision=revision,
            token=token,
        )


def verify(
    path: str | Path,
    *,
    against: str | Path | None = None,
    source: str | Path | None = None,
    everything: bool = False,
    seed: int = 0,
    imatrix: str | Path | None = None,
    lora: str | Path | Sequence[str | Path] = (),
    revision: str | None = None,
    token: str | None = None,
    progress: Listener = None,
) -> Verified:
    """Whether a GGUF is what it should be: the same as `qwq-gguf verify`.

    Reads all of it: structure, every block, the digests of its manifest; then what differs
    from the file `against`, and what its `source` gives, for a sample of rows by `seed` or for
    `everything`; `lora` are the adapters that were merged. A difference is a finding and no
    error: see `ok` and `differences`.
    """
    with in_python():
        check_flags(everything=everything)
        check_numbers(-(2**63), seed=seed)
        check_texts(revision=revision, token=token)
        return verify_file(
            name_of(path, "path"),
            reporting(progress),
            against=None if against is None else name_of(against, "against"),
            source=None if source is None else name_of(source),
            everything=everything,
            seed=seed,
            imatrix=None if imatrix is None else name_of(imatrix, "imatrix"),
            adapters=names_of(lora, "lora"),
            revision=revision,
            token=token,
        )


def export(
    path: str | Path,
    runtime: str,
    out: str | Path | None = None,
    *,
    profile: str | Path = "auto",
    system: str | None = None,
    hub: bool = False,
    install: bool = False,
    user_repo: str | None = None,
    copy: bool = False,
    fit: bool = False,
    cards: str | None = None,
    force: bool = False,
    revision: str | None = None,
    token: str | None = None,
    progress: Listener = None,
) -> Exported:
    """Write a model's settings for another runtime: the same as `qwq-gguf export`.

    `runtime` is ollama, lmstudio, llama-server, vllm, transformers, text-generation-webui or
    openwebui; `out` the folder, ./RUNTIME unless given. `hub` is for ollama, `install`,
    `user_repo` and `copy` for lmstudio, `system` for both. `fit` takes context, cache and layers on
    the card from what fits this machine, `cards` are those of a cluster for vllm (`2x8x80GB`). What
    the runtime has no words for is in the result's
    `unsaid`.
    """
    with in_python():
        check_flags(hub=hub, install=install, copy=copy, fit=fit, force=force)
        check_texts(system=system, user_repo=user_repo, cards=cards, revision=revision, token=token)
        return export_settings(
            Exporting(
                name_of(runtime, "runtime"),
                name_of(path, "path"),
                out=None if out is None else path_of(out, "out"),
                profile=name_of(profile, "profile"),
                system=system,
                hub=hub,
                install=install,
                user_repo=user_repo,
                copy=copy,
                fit=fit,
                cards=cards,
                force=force,
                revision=revision,
                token=token,
            ),
            reporting(progress),
        )


def load_profile(name: str | Path) -> Profile:
    """A shipped profile by its name, or one of your own by the path of its .toml.

    ProfileError for an unknown name, with those there are, and for a malformed file.
    """
    return profiles.load_profile(_named(name))


def load_recipe(name: str | Path) -> Recipe:
    """A shipped recipe by its name in any case, or one of your own by the path of its .toml.

    RecipeError for an unknown name, with the nearest ones, and for a malformed file.
    """
    return shipped.load_recipe(_named(name))


def _named(name: object) -> str | Path:
    return name if isinstance(name, Path) else name_of(name, "name")
