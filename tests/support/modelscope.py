"""ModelScope's reading API, as its own client asks for it, on the loopback Hub.

    GET /api/v1/models/ORG/NAME/repo/files?Revision&Recursive    all files
    GET /api/v1/models/ORG/NAME/repo?Revision&FilePath           one of them

The branch is called master.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["Asked", "asked_of_modelscope", "modelscope_listing"]

Content = bytes | Path
_OLD = "0123456789" * 4


@dataclass(frozen=True)
class Asked:
    """A file of a revision, or with None the list of all."""

    repo: str
    revision: str
    file: str | None


def asked_of_modelscope(path: str) -> Asked | None:
    parts = urlsplit(path)
    match = re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/repo(/files)?", parts.path)
    if match is None:
        return None
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    return Asked(match[1], query["Revision"], None if match[2] else query["FilePath"])


def modelscope_listing(
    files: Mapping[str, Content], commit: str, sha256: Callable[[Content], str]
) -> dict[str, Any]:
    """Folders are listed, too; of all files but one an older commit was the last to change it."""

    def told(number: int, name: str, content: Content) -> dict[str, Any]:
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        last = number == len(files) - 1
        return {
            "Name": name.rpartition("/")[2],
            "Path": name,
            "Type": "blob",
            "Size": size,
            "Sha256": sha256(content),
            "Revision": commit if last else _OLD,
            "CommittedDate": 1_700_000_000 + last,
        }

    listed = [told(number, name, files[name]) for number, name in enumerate(sorted(files))]
    folder = {"Name": "docs", "Path": "docs", "Type": "tree", "Size": 0, "Revision": _OLD}
    return {"Code": 200, "Success": True, "Message": "", "Data": {"Files": [folder, *listed]}}
