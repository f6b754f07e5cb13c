"""How people name a model on the Hub. Pure: nothing is looked up here.

org/name                      the branch main
org/name@v1.0                 a branch, a tag, refs/pr/3 or a commit
org/name-GGUF:Q4_K_M          one of several GGUF files, by its quant or its file name
hf.co/org/name                also huggingface.co/, https://, hf:// and the address of
a page below /tree/, /blob/ or /resolve/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from qwq_gguf.errors import SourceError
from qwq_gguf.words import message_of

__all__ = ["HubName", "check_revision", "parse_hub_name"]

# What the Hub allows; a hyphen or dot at either end and doubled ones are nobody's name.
_PART = r"[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?"
_REPO = re.compile(rf"{_PART}/{_PART}", re.ASCII)
_REVISION = re.compile(r"[\w][\w.+/-]{0,254}", re.ASCII)
_TAG = re.compile(r"[\w][\w.+/ -]{0,254}")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_PAGES = frozenset({"tree", "blob", "resolve", "raw", "commit"})
_OTHER_KINDS = frozenset({"datasets", "spaces", "kernels", "buckets", "collections", "papers"})
# Endings of files, which nobody's repository on the Hub should be mistaken for.
_FILE_ENDINGS = (
    ".gguf", ".safetensors", ".json", ".toml", ".bin", ".pt", ".pth", ".txt", ".md", ".py",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class HubName:
    """`repo` is `org/name`. `tag` is what follows a colon: a quant or a file name.

    `explicit` says that an address was spelled out, so that it can be no path.
    """

    repo: str
    revision: str | None = None
    tag: str | None = None
    explicit: bool = False

    @property
    def organization(self) -> str:
        """The part before the slash."""
        return self.repo.partition("/")[0]

    @property
    def name(self) -> str:
        """The part after the slash."""
        return self.repo.partition("/")[2]


def parse_hub_name(text: str, endpoint: str = "https://huggingface.co") -> HubName | None:
    """The Hub name that `text` is, or None where it is plainly something else, as a path.

    SourceError for an address that is spelled out (with a host) and names no model.
    """
    rest = _after_host(text, endpoint)
    if rest is not None:
        return _from_address(text, rest)
    if _SCHEME.match(text):
        raise _no_model(text, "an address of huggingface.co, hf.co or HF_ENDPOINT")
    repo, revision, tag = _split(text)
    if not _is_repo(repo) or repo.lower().endswith(_FILE_ENDINGS):
        return None
    return HubName(repo, check_revision(revision), _checked_tag(tag))


def check_revision(revision: str | None) -> str | None:
    """`revision` as it is; SourceError for what git could not call a branch, tag or commit."""
    if revision is None:
        return None
    parts = revision.split("/")
    if not _REVISION.fullmatch(revision) or ".." in revision or "" in parts or "." in parts:
        raise SourceError(
            "this is no revision",
            found=repr(revision[:80]),
            expected="a branch, a tag or a commit, such as main",
        )
    return revision


def _after_host(text: str, endpoint: str) -> str | None:
    """What follows the Hub's address in `text`, or None."""
    lowered = text.lower()
    own = endpoint.rstrip("/").lower()
    prefixes = [f"{own}/", f"{own.partition('://')[2]}/", "hf://"]
    for host in _HOSTS:
        prefixes += [f"https://{host}/", f"http://{host}/", f"{host}/"]
    for prefix in prefixes:
        if lowered.startswith(prefix):
            return text[len(prefix) :]
    return None


def _from_address(text: str, rest: str) -> HubName:
    segments = re.split(r"[?#]", rest, maxsplit=1)[0].strip("/").split("/")
    if segments[0] in _OTHER_KINDS:
        raise _no_model(text, "a model, not one of the Hub's " + segments[0])
    if segments[0] == "models":  # as in hf://models/org/name
        segments = segments[1:]
    if len(segments) > 2 and segments[2] in _PAGES:
        return _from_page(text, segments)
    repo, revision, tag = _split("/".join(segments))
    if not _is_repo(repo):
        raise _no_model(text, "org/name after the host")
    return HubName(repo, check_revision(revision), _checked_tag(tag), explicit=True)


def _from_page(text: str, segments: list[str]) -> HubName:
    """org/name/tree/main, or org/name/blob/main/file.gguf."""
    repo = "/".join(segments[:2])
    if not _is_repo(repo) or len(segments) < 4:
        raise _no_model(text, "org/name after the host")
    revision = check_revision(unquote(segments[3]))
    path = unquote("/".join(segments[4:]))
    if path.lower().endswith(".gguf"):
        return HubName(repo, revision, _checked_tag(path), explicit=True)
    # The page of config.json names the model it configures, but a subfolder may be anything.
    if path and segments[2] == "tree":
        raise _no_model(text, "the model's own page: a subfolder is not a model")
    return HubName(repo, revision, explicit=True)


def _split(text: str) -> tuple[str, str | None, str | None]:
    head, colon, tag = text.partition(":")
    repo, at, revision = head.partition("@")
    return repo, revision if at else None, tag if colon else None


def _is_repo(text: str) -> bool:
    return (
        _REPO.fullmatch(text) is not None
        and ".." not in text
        and "--" not in text
        and not text.endswith(".git")
    )


def _checked_tag(tag: str | None) -> str | None:
    if tag is None:
        return None
    if not _TAG.fullmatch(tag) or ".." in tag:
        raise SourceError(
            "this is no quant", found=repr(tag[:80]), expected="a quant such as Q4_K_M"
        )
    # What Ollama calls a model without a tag.
    return None if tag.lower() == "latest" else tag


def _no_model(text: str, expected: str) -> SourceError:
    return SourceError(
        "this address names no model on the Hub",
        found=repr(message_of(text, 120)),
        expected=expected,
    )
