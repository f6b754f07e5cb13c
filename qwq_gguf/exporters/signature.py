"""Who wrote an exported file, from which profile, and why that one: for its next reader.

Only where the format has comments; JSON has none, and a template's would reach the model.
"""

from __future__ import annotations

from collections.abc import Mapping

from qwq_gguf.profiles import Profile
from qwq_gguf.version import __version__

__all__ = ["sign", "sign_all", "signature"]

_MOST = 300
_SHEBANG = "#!"
_ENDINGS = (".sh", ".ini", ".yaml", "Modelfile")


def signature(profile: Profile, reason: str) -> tuple[str, ...]:
    """The lines, without marks of a comment. `reason` says why this profile."""
    return (
        f"Written by qwq-gguf {__version__} from the profile {_plain(profile.name)}:",
        f"{_plain(reason)}.",
    )


def sign(name: str, text: str, lines: tuple[str, ...]) -> str:
    """The file of this name with `lines` as comments at its head, where it can hold any."""
    if not name.endswith(_ENDINGS):
        return text
    comment = "".join(f"# {line}\n" for line in lines)
    if not text.startswith(_SHEBANG):
        return comment + text
    first, end, rest = text.partition("\n")
    return f"{first}{end}{comment}{rest}"


def sign_all(files: Mapping[str, str], lines: tuple[str, ...]) -> dict[str, str]:
    """Every file of an export, signed."""
    return {name: sign(name, text, lines) for name, text in files.items()}


def _plain(text: str) -> str:
    """What a stranger's file may have had a say in, as one line that ends where it should."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MOST]
