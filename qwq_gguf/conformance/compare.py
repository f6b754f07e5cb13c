"""Setting by setting: wanted, applied, and where it came from. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from qwq_gguf.errors import ChainError
from qwq_gguf.exporters.forbidding import grammar_spellings
from qwq_gguf.metadata import shortest_float32
from qwq_gguf.profiles import Profile
from qwq_gguf.profiles.gguf_keys import CARRIED
from qwq_gguf.sampling import Grammar, Greedy, LogitBias
from qwq_gguf.sampling.chain import show
from qwq_gguf.sampling.constraints import Biases
from qwq_gguf.sampling.settings import OFF_VALUES, SETTINGS, SettingValue, stage_from_settings
from qwq_gguf.sampling.stages import MAX_WINDOW, UNNAMED_STAGES

__all__ = ["Applied", "Row", "Verdict", "advice", "compare"]

_CONSTRAINTS = (LogitBias.name, Grammar.name)
_UNNAMED = {kind.name for kind in UNNAMED_STAGES}
_UNCARRIED = SETTINGS.keys() - CARRIED
_NOT_WANTED = "off"
_NO_STAGE = ", in no stage"
_MOST_FLOAT32 = 3.4e38
# Flags of llama-server that are spelt as the settings are.
_PLAIN_FLAGS = {"presence_penalty", "frequency_penalty"}


class Verdict(StrEnum):
    """How what is applied compares with what is wanted. `near`: as close as that runtime
    can come; `untold`: the server does not say.
    """

    SAME = "same"
    NEAR = "near"
    DIFFERS = "differs"
    UNTOLD = "not told"


@dataclass(frozen=True, slots=True)
class Applied:
    """What a server said. `settings` by our names, `order` without the final stage; what is
    absent was not told. `origins` says where each comes from, also `order`, `context` and
    `stops`; `notes` are sentences for the user. `template` is the
    model's chat template.
    """

    server: str
    order: tuple[str, ...] | None = None
    settings: Mapping[str, SettingValue] = field(default_factory=dict)
    context: int | None = None
    trained_context: int | None = None
    stops: tuple[str, ...] | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One setting. Texts as people read them; `applied` and `origin` are "" when not told."""

    setting: str
    wanted: str
    applied: str
    verdict: Verdict
    origin: str


def compare(profile: Profile, applied: Applied) -> tuple[Row, ...]:
    """A row for the order, each number the profile gives, each number that switches on a stage
    which the server adds, the context and the stops. Of what nobody decided there is no row.
    """
    wanted = profile.chain.settings()
    order = tuple(name for name in profile.chain.order if name not in _UNNAMED)
    if isinstance(profile.chain.stages[-1], Greedy):
        wanted["temperature"] = 0.0
    ordered = profile.says("order")
    rows = [_order_row(order, wanted, applied)] if ordered else []
    rows += _constraint_rows(profile, applied)
    rows += [
        _setting_row(name, value, profile, applied)
        for name, value in wanted.items()
        if SETTINGS[name][0] not in _CONSTRAINTS and profile.says(name)
    ]
    for stage in (applied.order or ()) if ordered else ():
        if stage not in order and _is_on(stage, applied.settings):
            rows += [
                Row(name, _NOT_WANTED, show(value), Verdict.DIFFERS, applied.origins.get(name, ""))
                for name, value in applied.settings.items()
                if SETTINGS[name][0] == stage and _is_on(stage, {name: value})
            ]
    rows.append(_context_row(profile, applied))
    return (*rows, _stops_row(profile, applied)) if profile.stops else tuple(rows)


def advice(rows: Sequence[Row], server: str, profile: str | None = None) -> tuple[str, ...]:
    """What to do about settings that differ. `profile` is what `set --profile` takes for the
    wanted one, None if it is the file's own.
    """
    differing = [
        row
        for row in rows
        if row.verdict is Verdict.DIFFERS
        and row.wanted != _NOT_WANTED
        and not row.applied.endswith(_NO_STAGE)  # with the order it is right
    ]
    return (*_for_the_file(differing, server, profile), *_for_the_server(differing, server))


def _for_the_file(differing: Sequence[Row], server: str, profile: str | None) -> tuple[str, ...]:
    # Ollama takes the order alone from the file, and sends every number.
    carried = {"order"} if server == "Ollama" else {"order", *CARRIED}
    names = ", ".join(row.setting for row in differing if row.setting in carried)
    if not names:
        return ()
    file = "the file"
    if profile is not None:
        command = f"qwq-gguf set FILE --profile {shlex.quote(profile)}"
        file = f"`{command}` puts this into the file, which"
    if server == "Ollama":
        return (f"{names}: {file} alone has a say in it",)
    return (f"{names}: {file} has a say where no flag of the server and no request has one",)


def _for_the_server(differing: Sequence[Row], server: str) -> tuple[str, ...]:
    uncarried = [row for row in differing if row.setting in _UNCARRIED]
    if not uncarried:
        return ()
    names = ", ".join(row.setting for row in uncarried)
    if server == "Ollama":
        what = "the Modelfile of `qwq-gguf export ollama` has what Ollama can be told"
    elif {row.setting for row in uncarried} <= _PLAIN_FLAGS:
        flags = " ".join(f"--{row.setting.replace('_', '-')} {row.wanted}" for row in uncarried)
        what = f"start the server with {flags}, or send it with requests"
    else:
        what = "start the server as `qwq-gguf export llama-server` writes it"
    return (f"no GGUF can carry {names}: {what}",)


def _order_row(order: Sequence[str], wanted: Mapping[str, SettingValue], applied: Applied) -> Row:
    shown = " > ".join(order)
    if applied.order is None:
        return Row("order", shown, "", Verdict.UNTOLD, "")
    # A stage that does nothing may stand anywhere.
    active = {name for name in order if _is_on(name, wanted)}
    active |= {name for name in applied.order if _is_on(name, applied.settings)}
    same = [n for n in order if n in active] == [n for n in applied.order if n in active]
    return Row(
        "order",
        shown,
        " > ".join(applied.order),
        Verdict.SAME if same else Verdict.DIFFERS,
        applied.origins.get("order", ""),
    )


def _constraint_rows(profile: Profile, applied: Applied) -> list[Row]:
    """The logit bias and the grammar, where the profile or the server has one."""
    bias, told_bias = profile.chain.stage(LogitBias), applied.settings.get("logit_bias")
    grammar, told_grammar = profile.chain.stage(Grammar), applied.settings.get("grammar")
    rows = []
    wants = () if bias is None or bias.off else bias.biases
    if wants or told_bias:
        verdict = Verdict.UNTOLD  # also while a token is named by its text
        if isinstance(told_bias, tuple) and all(isinstance(t, int) for t, _ in wants):
            same = dict(wants) == dict(cast(Biases, told_bias))
            verdict = Verdict.SAME if same else Verdict.DIFFERS
        rows.append(_constraint_row("logit_bias", wants, told_bias, verdict, applied))
    text = "" if grammar is None or grammar.off else grammar.text
    if text or told_grammar:
        verdict = Verdict.UNTOLD
        if isinstance(told_grammar, str):
            spelt = {spelling.strip() for spelling in grammar_spellings(profile)}
            same = told_grammar.strip() in spelt
            verdict = Verdict.SAME if same else Verdict.DIFFERS
        rows.append(_constraint_row("grammar", text, told_grammar, verdict, applied))
    return rows


def _constraint_row(
    name: str,
    wanted: SettingValue,
    told: SettingValue | None,
    verdict: Verdict,
    applied: Applied,
) -> Row:
    shown = "" if told is None else show(told) or "off"
    return Row(name, show(wanted) or _NOT_WANTED, shown, verdict, applied.origins.get(name, ""))


def _is_on(stage: str, values: Mapping[str, SettingValue]) -> bool:
    try:
        return not stage_from_settings(stage, {**OFF_VALUES, **values}).off
    except ChainError:
        return True  # out of range or unknown to us: surely not nothing


def _setting_row(name: str, value: SettingValue, profile: Profile, applied: Applied) -> Row:
    shown = show(value)
    origin = applied.origins.get(name, "")
    if name not in applied.settings:
        return Row(name, shown, "", Verdict.UNTOLD, origin)
    got = applied.settings[name]
    verdict = Verdict.SAME if _equal(value, got) else Verdict.DIFFERS
    stage, order = SETTINGS[name][0], applied.order
    left_out = order is not None and stage not in order and _is_on(stage, {name: value})
    if left_out and verdict is Verdict.SAME:  # the right number, and it does nothing
        return Row(name, shown, show(got) + _NO_STAGE, Verdict.DIFFERS, origin)
    if isinstance(value, str) and isinstance(got, int):
        # A window over everything is the longest that a number can say.
        enough = got >= min(profile.context, applied.context or MAX_WINDOW)
        verdict = Verdict.NEAR if enough else Verdict.DIFFERS
        if enough and value == "context":
            verdict = Verdict.SAME
    return Row(name, shown, show(got), verdict, origin)


def _equal(wanted: SettingValue, got: SettingValue) -> bool:
    if isinstance(wanted, (int, float)) and isinstance(got, (int, float)):
        if abs(got) > _MOST_FLOAT32:
            return False
        return shortest_float32(float(wanted)) == shortest_float32(float(got))
    return wanted == got


def _context_row(profile: Profile, applied: Applied) -> Row:
    wanted = min(profile.context, applied.trained_context or profile.context)
    origin = applied.origins.get("context", "")
    if applied.context is None:
        return Row("context", str(wanted), "", Verdict.UNTOLD, origin)
    verdict = Verdict.SAME if applied.context >= wanted else Verdict.DIFFERS
    return Row("context", f"{wanted} or more", str(applied.context), verdict, origin)


def _stops_row(profile: Profile, applied: Applied) -> Row:
    wanted = " ".join(profile.stops)
    origin = applied.origins.get("stops", "")
    if applied.stops is None:
        return Row("stops", wanted, "", Verdict.UNTOLD, origin)
    same = set(profile.stops) <= set(applied.stops)
    return Row(
        "stops", wanted, " ".join(applied.stops), Verdict.SAME if same else Verdict.DIFFERS, origin
    )
