"""Which settings a model is run with, and where each of them comes from.

In this order, the first that says something counts: a flag; the profile that a flag names;
keys that somebody edited after the file was given its profile; the profile that the file
names; the file's `general.sampling.*`; the profile chosen by the file's metadata. Where none is
made for the model, what the file leaves open is llama.cpp's default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from qwq_gguf.errors import ChainError
from qwq_gguf.metadata import KeyValue
from qwq_gguf.profiles.auto import choose_profile
from qwq_gguf.profiles.edited_keys import edit_notes, edited_keys, only_edited
from qwq_gguf.profiles.gguf_keys import PROFILE_KEY, SAMPLING, FileSampling, read_sampling
from qwq_gguf.profiles.load import load_profile, profile_names
from qwq_gguf.profiles.profile import Profile
from qwq_gguf.sampling import Grammar, LogitBias, Penalties, SamplerChain
from qwq_gguf.sampling.settings import OFF_VALUES, SETTINGS, SettingValue

__all__ = ["AUTO", "Resolved", "resolve"]

AUTO = "auto"
_FLAG = "a flag"
_IN_FILE = " in the file"
_DEFAULT = "llama.cpp's default"


@dataclass(frozen=True, slots=True)
class Resolved:
    """The profile to run with. `reason` says why this one.

    `origins` says for every setting of the chain and for `order` who decided it: a flag,
    a key of the file, or a profile. `notes` are sentences for the user.
    """

    profile: Profile
    reason: str
    origins: Mapping[str, str]
    notes: tuple[str, ...]


def resolve(
    metadata: Mapping[str, KeyValue],
    *,
    requested: str | Path | None = None,
    overrides: Mapping[str, SettingValue | None] | None = None,
    thinking: bool | None = None,
) -> Resolved:
    """Resolve the settings for a GGUF with this metadata.

    `requested` names a profile or a .toml; None and `auto` leave the choice to the file.
    `overrides` are single numbers by setting name, None for those not given. `thinking`
    turns thoughts on or off, which may need other numbers.

    Raises ProfileError for a `requested` profile that does not load, and ChainError for
    an override that is out of range or would do nothing.
    """
    sampling = read_sampling(metadata)
    notes = list(sampling.notes)
    if requested is not None and requested != AUTO:
        profile, reason = load_profile(requested), "asked for"
        if str(requested).lower() not in profile_names():
            reason += f" in {Path(requested).name}"  # a copy of a shipped one has its name
        origins = dict.fromkeys(_decided(profile.chain), f"profile {profile.name}")
    elif sampling.profile is not None and sampling.profile in profile_names():
        profile, reason = load_profile(sampling.profile), f"the file's {PROFILE_KEY} names it"
        origins = dict.fromkeys(_decided(profile.chain), f"profile {profile.name}")
        if edited := edited_keys(sampling, profile):
            notes += edit_notes(profile.name, edited)
            said = f"profile {profile.name}"
            profile, origins = _with_file(profile, said, only_edited(sampling, edited), notes)
            reason += _own(origins)
    else:
        if sampling.profile is not None:
            notes.append(f"the file names a profile that is not known: {sampling.profile[:60]!r}")
        choice = choose_profile(metadata, thinking=thinking)
        reason = choice.reason
        if choice.profile is not None:
            base = load_profile(choice.profile)
            sampling = _without_mistakes(sampling, base, notes)
            profile, origins = _with_file(base, f"profile {base.name}", sampling, notes)
            reason += _own(origins)
        else:
            profile, origins = _with_file(_open_profile(), _DEFAULT, sampling, notes)
            own = frozenset(name for name, said in origins.items() if said.endswith(_IN_FILE))
            profile = replace(profile, named=own)
            gets = (
                "the file's own numbers and none of ours"
                if own
                else "the file gives no numbers and gets none of ours"
            )
            reason = f"{gets}, because {reason}"

    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    profile = profile.with_overrides(source=_FLAG, **given)
    origins |= dict.fromkeys(given, _FLAG)
    notes += [*profile.notes(), *_idle(profile.chain, given)]
    return Resolved(profile, reason, MappingProxyType(origins), tuple(notes))


def _own(origins: Mapping[str, str]) -> str:
    """What of a profile's settings the file itself decides, to be said beside the profile."""
    names = [name for name, origin in origins.items() if origin.endswith(_IN_FILE)]
    return f", but {', '.join(names)} as the file's own keys say" if names else ""


def _decided(chain: SamplerChain) -> tuple[str, ...]:
    return ("order", *chain.settings())


def _idle(chain: SamplerChain, given: Mapping[str, SettingValue]) -> list[str]:
    """Sentences about penalties and their window where one of them is asked for in vain."""
    penalties = chain.stage(Penalties)
    if penalties is None or not penalties.off:
        return []
    if penalties.window == 0:
        asked = [name for name in given if name.endswith("_penalty") and given[name]]
        return [f"{name} does nothing: its window is 0 tokens long" for name in asked]
    if "penalty_window" in given:
        return ["penalty_window does nothing: no penalty is set"]
    return []


def _open_profile() -> Profile:
    """What a model is run with that no profile is made for, and whose file says nothing."""
    return replace(
        load_profile("llama-cpp"),
        name="file",
        description="what the file itself says; the rest is llama.cpp's default",
    )


def _without_mistakes(sampling: FileSampling, base: Profile, notes: list[str]) -> FileSampling:
    """What the file says, but for numbers that are known to be there by mistake."""
    for wrong in base.wrong:
        if wrong.match(sampling.values):
            notes.append(wrong.said("in the file"))
            sampling = replace(
                sampling,
                values={n: v for n, v in sampling.values.items() if n not in wrong.values},
                keys={n: key for n, key in sampling.keys.items() if n not in wrong.values},
            )
    return sampling


def _with_file(
    base: Profile, said: str, sampling: FileSampling, notes: list[str]
) -> tuple[Profile, dict[str, str]]:
    """The chosen profile with what the file says put over it. `said` names its origin."""
    order = base.chain.order
    if sampling.order is not None:
        # A file has no names for what forbids or favours single tokens.
        first = (s.name for s in base.chain.stages if isinstance(s, (LogitBias, Grammar)))
        order = (*first, *sampling.order, base.chain.order[-1])
    given = {**base.given, **sampling.values}
    in_order = {name: value for name, value in given.items() if SETTINGS[name][0] in order}
    try:
        chain = SamplerChain.from_settings(order, {**OFF_VALUES, **in_order})
    except ChainError as error:
        notes.append(f"the file's {SAMPLING}* are left aside: {error.message}")
        return base, dict.fromkeys(_decided(base.chain), said)
    own = {*_decided(base.chain), *base.given}
    origins = {}
    for name in _decided(chain):
        if name == "order":
            from_file = f"{SAMPLING}sequence" if sampling.order is not None else None
        else:
            from_file = sampling.keys.get(name)
        if from_file is not None:
            origins[name] = from_file + _IN_FILE
        elif name in own:
            origins[name] = said
        else:
            origins[name] = "off: neither the file nor the profile gives it"
    sources = {**base.sources, **{n: o for n, o in origins.items() if o.endswith(_IN_FILE)}}
    # Of the profile's own idle numbers nothing is said: the file's order decides here.
    told = {n: v for n, v in given.items() if n in in_order or n in sampling.values}
    return replace(base, chain=chain, given=told, sources=sources), origins
