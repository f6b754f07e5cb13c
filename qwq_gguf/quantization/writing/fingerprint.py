"""What the bytes of a result depend on, as JSON, so that two runs can be compared. Pure.

An unfinished file may only be gone on with if all of it is the same: rows made of
something else would be a damaged model that looks like a whole one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.conversion.parts import Packed, Part
from qwq_gguf.conversion.values import ComputedTensor, Source
from qwq_gguf.errors import OutputError
from qwq_gguf.quantization.writing.journal import JOURNAL_SCHEMA
from qwq_gguf.words import some

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.values import TensorInfo
    from qwq_gguf.conversion.parts import Code
    from qwq_gguf.conversion.updates import Update
    from qwq_gguf.metadata import KeyValue
    from qwq_gguf.quantization.planning.plan import Plan, TensorPlan

__all__ = ["Difference", "differences", "fingerprint", "refuse_change", "shards_of"]

_MOST_NAMED = 3
_LONGEST = 48  # characters of a value that are shown as they are
# What is derived of the sections before it is only named where they agree.
_CAUSES = ("source", "recipe", "options", "versions")
_EFFECTS = ("files", "metadata", "tensors")


@dataclass(frozen=True, slots=True)
class Difference:
    """A thing that is not as it was; None for one that is not there."""

    name: str
    before: str | None
    now: str | None


def fingerprint(
    plan: Plan,
    *,
    identity: Callable[[Path], str],
    versions: Mapping[str, str],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """The sections `source`, `recipe`, `versions`, `files`, `metadata` and `tensors`.

    `identity` says of a shard what tells it from any other; `about` are sections that the
    caller knows of, such as `options`, and adds to these.
    """
    first = plan.parts[0]
    found: dict[str, Any] = {
        "source": {shard.name: identity(shard) for shard in shards_of(plan)},
        "recipe": {"name": plan.recipe},
        "versions": dict(versions),
        "files": {"number": len(plan.parts), "bytes": [part.file_bytes for part in plan.parts]},
        "metadata": {entry.key: _short(entry) for entry in first.metadata},
        "tensors": {"all": _digest(_tensor(tensor) for tensor in plan.tensors)},
    }
    for name, section in about.items():
        found[name] = {**found.get(name, {}), **section}
    # As it will be read again: a tuple has become a list.
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


def shards_of(plan: Plan) -> tuple[Path, ...]:
    """The files that the weights are read from, by name."""
    return tuple(sorted({shard for tensor in plan.tensors for shard in tensor.source.shards}))


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Difference, ...]:
    """What is not the same, causes first."""
    causes = [
        found
        for name in (*_CAUSES, *sorted(now.keys() - {*_CAUSES, *_EFFECTS}))
        for found in _compare(name, before.get(name), now.get(name))
    ]
    if causes:
        return tuple(causes)
    return tuple(
        found for name in _EFFECTS for found in _compare(name, before.get(name), now.get(name))
    )


def refuse_change(before: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:
    """OutputError, naming what has changed, if an unfinished file for `path` is of something
    else.
    """
    schema = before.get("schema")
    if schema != JOURNAL_SCHEMA:
        raise OutputError(
            "an unfinished run of this file is kept, in a form that this version cannot read",
            path=path,
            found=str(schema)[:80],
            expected=JOURNAL_SCHEMA,
            hint="--no-resume, to start over; or the version that began it",
        )
    changed = differences(before, now)
    if not changed:
        return
    raise OutputError(
        "an unfinished run of this file is kept, and was of something else",
        path=path,
        found=some((f"{each.name} = {each.now}" for each in changed), _MOST_NAMED, "; "),
        expected=some((f"{each.name} = {each.before}" for each in changed), _MOST_NAMED, "; "),
        hint="--no-resume, to start over; or what was expected, and it goes on where it was",
    )


def _compare(section: str, before: Any, now: Any) -> Iterator[Difference]:
    if before == now:
        return
    old = before if isinstance(before, dict) else {}
    new = now if isinstance(now, dict) else {}
    for key in (*new, *(key for key in old if key not in new)):
        if old.get(key) != new.get(key) or (key in old) != (key in new):
            yield Difference(f"{section}: {key}", _text(old, key), _text(new, key))


def _text(section: Mapping[str, Any], key: str) -> str | None:
    if key not in section:
        return None
    value = section[key]
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 2 * _LONGEST else f"{text[: 2 * _LONGEST]}..."


def _short(entry: KeyValue) -> str:
    """A value that can be read, or its digest."""
    if entry.element is None:
        text = json.dumps(entry.value) if isinstance(entry.value, str) else str(entry.value)
        if len(text) <= _LONGEST:
            return text
        raw = text
    else:
        raw = "\0".join(map(str, entry.items))
    return f"sha256 {hashlib.sha256(raw.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _tensor(tensor: TensorPlan) -> str:
    """Where it comes from, what it becomes and where it goes."""
    origins: list[list[Any]] = [_origin(source) for source in tensor.source.sources]
    order = tensor.source.row_order
    weights = tensor.importance
    return json.dumps(
        [
            tensor.name,
            tensor.shape,
            tensor.type.name,
            tensor.offset,
            tensor.source.stored.name,
            origins[0] if len(origins) == 1 else origins,
            None if order is None else order.order,
            *([tensor.source.change] if tensor.source.change else []),
            None if weights is None else hashlib.sha256(weights.tobytes()).hexdigest(),
        ]
    )


def _origin(source: Source) -> list[Any]:
    if isinstance(source, ComputedTensor):
        return [hashlib.sha256(source.data).hexdigest()]
    if not isinstance(source, Part):
        return [source.shard.name, source.start, source.nbytes]
    info, taken = source.info, source.taken
    return [
        *_origin(info),
        *(info.dtype, source.width, taken.start, taken.stop, taken.step, source.turned),
        None if source.columns is None else list(source.columns),
        _factors(source.scales),
        *([] if source.updates is None else [[_update(each) for each in source.updates]]),
    ]


def _factors(code: Code | None) -> list[Any] | None:
    if code is None:
        return None
    if not isinstance(code, Packed):
        return [*_origin(code.info), code.info.dtype, code.rows, code.columns]
    others = [None if info is None else _typed(info) for info in (code.zeros, code.groups)]
    return [code.layout, code.bits, code.group, code.zero_offset, _typed(code.scales), *others]


def _update(update: Update) -> list[Any]:
    factors = [
        None if each is None else [*_typed(each.info), each.turned]
        for each in (update.left, update.right)
    ]
    magnitudes = None if update.magnitudes is None else _typed(update.magnitudes)
    return [*factors, update.scale, magnitudes]


def _typed(info: TensorInfo) -> list[Any]:
    return [*_origin(info), info.dtype, list(info.shape)]


def _digest(items: Iterator[str]) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(item.encode())
        digest.update(b"\n")
    return digest.hexdigest()
