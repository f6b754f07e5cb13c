"""Files into a repository of the Hub, in one commit: nobody sees half of it.

Each file's bytes go first, and are named by their digest there; so an upload that was interrupted
goes on where it was when it is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from qwq_gguf.checkpoint.hub.errors import offline
from qwq_gguf.checkpoint.hub.exchange import Uploads
from qwq_gguf.checkpoint.hub.settings import HubSettings
from qwq_gguf.errors import HubError

__all__ = ["upload"]


def upload(
    hub: HubSettings,
    repo: str,
    files: Mapping[str, bytes | Path],
    *,
    private: bool,
    message: str,
    report: Callable[[str], None],
    bars: bool = False,
) -> str:
    """Have `files` in the repository's main branch, made where there is none; the commit.

    `report` is told each file's name before it goes. HubError in one of its kinds, also where it
    is to be private and is there as a public one.
    """
    if hub.offline:
        raise offline(hub, repo, "main")
    uploads = Uploads(hub, repo, bars=bars)
    if not uploads.create(private=private) and private:
        raise HubError(
            "this repository is there already, and everybody can read it",
            path=repo,
            found="public",
            expected="private",
            hint="make it private in its settings, or name another one",
        )
    for name, content in files.items():
        report(name)
        uploads.send(name, content)
    return uploads.commit(message)
