"""Governors to compare, as a flag names them: `default`, `off`, `budget=200+loops=false`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from qwq_gguf.errors import ProfileError
from qwq_gguf.profiles import Profile, governor_settings, with_governor_settings
from qwq_gguf.thinking import Governor

__all__ = ["OFF", "GovernorWish", "governor_words", "read_governors"]

OFF = Governor(reserve=0, loops=False, answers=False)
"""No governor: a reply is what the model and its chain make of it."""

# A comma, or a plus, that another governor, or another key, follows; a message may have both.
_KEY = r"\s*[a-z][a-z_-]*\s*="
_NEXT = re.compile(rf",(?=\s*(?:default|off)\s*(?:,|$)|{_KEY})")
_MORE = re.compile(rf"\+(?={_KEY})")


@dataclass(frozen=True, slots=True)
class GovernorWish:
    """One governor by its name: keys over the profile's own, or None for no governor."""

    name: str
    settings: Mapping[str, Any] | None

    def applied(self, profile: Profile) -> Profile:
        """The profile under this governor. ProfileError for values that make no sense."""
        if self.settings is None:
            return profile.with_governor(OFF)
        if not self.settings:
            return profile
        return profile.with_governor(with_governor_settings(profile.governor, self.settings))


def read_governors(texts: Iterable[str]) -> tuple[GovernorWish, ...]:
    """Governors by commas, in one text or several. ProfileError for keys and values that are none,
    and for one that is named twice.
    """
    found: dict[str, GovernorWish] = {}
    for text in (part.strip() for whole in texts for part in _NEXT.split(whole)):
        wish = _read(text)
        if wish.name in found:
            raise ProfileError("one governor is named twice", found=wish.name[:100])
        found[wish.name] = wish
    return tuple(found.values())


def _read(text: str) -> GovernorWish:
    if text == "default":
        return GovernorWish(text, {})
    if text == "off":
        return GovernorWish(text, None)
    if "=" not in text:
        raise ProfileError(
            "no such governor", found=text[:100], expected="default, off or KEY=VALUE+KEY=VALUE"
        )
    parts = [part.strip() for part in _MORE.split(text)]
    settings = {key: v for part in parts for key, v in governor_settings(part).items()}
    return GovernorWish("+".join(parts), settings)


def governor_words(governor: Governor) -> str:
    """What it does, in few words; a governor that does nothing is `none`."""
    words = []
    if governor.budget is not None:
        words.append(f"at most {governor.budget} thinking tokens")
    if governor.seconds is not None:
        words.append(f"at most {governor.seconds:g} seconds of thought")
    if governor.reserve:
        words.append(f"{governor.reserve} tokens kept for the answer")
    if governor.loops:
        words.append("loops are ended")
    if governor.answers:
        words.append("always an answer")
    steering = [name for name in governor.steering() if name != "seconds"]
    words += [f"{name} {getattr(governor, name):g}" for name in steering]
    return ", ".join(words) if words else "none: a thought may go on until there is no room"
