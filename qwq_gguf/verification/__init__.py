"""Trust in a finished GGUF: its manifest, and checks against it, another file, or the source."""

from __future__ import annotations

from qwq_gguf.verification.findings import Finding, Findings
from qwq_gguf.verification.manifest import Manifest, manifest_path, parse_manifest

__all__ = ["Finding", "Manifest", "Findings", "manifest_path", "parse_manifest"]
