"""What a check finds, and all of it together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = ["VERIFY_SCHEMA", "Finding", "Findings", "difference", "remark"]

VERIFY_SCHEMA = "qwq-gguf/verify/1"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check found.

    `check` is structure, manifest, against or source; `where` the key, the tensor or the
    part of the file. Only a `difference` makes a file fail; a `remark` is to be read.
    """

    level: Literal["difference", "remark"]
    check: str
    where: str
    what: str

    def to_json(self) -> dict[str, str]:
        """The four fields."""
        return {"level": self.level, "check": self.check, "where": self.where, "what": self.what}


def difference(check: str, where: str, what: str) -> Finding:
    """A finding that makes the file fail."""
    return Finding("difference", check, where, what)


def remark(check: str, where: str, what: str) -> Finding:
    """A finding that does not."""
    return Finding("remark", check, where, what)


@dataclass(frozen=True, slots=True)
class Findings:
    """The outcome of one verification.

    `sha256` maps each file's name to its digest, empty when the header could not be read.
    `checks` says of each check that was made how much it covered.
    """

    path: Path
    findings: tuple[Finding, ...]
    sha256: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def differences(self) -> tuple[Finding, ...]:
        """The findings that make the file fail."""
        return tuple(found for found in self.findings if found.level == "difference")

    @property
    def remarks(self) -> tuple[Finding, ...]:
        """The other findings."""
        return tuple(found for found in self.findings if found.level == "remark")

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    @property
    def vouchers(self) -> tuple[str, ...]:
        """The checks that held the bytes against something outside the file."""
        return tuple(
            name
            for name, facts in self.checks.items()
            if name != "structure" and facts.get("files", 1)
        )

    def to_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "schema": VERIFY_SCHEMA,
            "path": str(self.path),
            "ok": self.ok,
            "vouched_by": list(self.vouchers),
            "sha256": dict(self.sha256),
            "checks": {name: dict(facts) for name, facts in self.checks.items()},
            "findings": [found.to_json() for found in self.findings],
        }
