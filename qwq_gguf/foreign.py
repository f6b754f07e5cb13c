"""What a file is that is not what its name says, told by its first bytes.

People have pointers of git-lfs, web pages and half downloads where weights should be. To
all of them "damaged, download it again" is the wrong advice, since they would get the same.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

__all__ = ["HEAD_BYTES", "Foreign", "recognise"]

HEAD_BYTES = 1024
"""How much of a file's beginning is enough."""

_ANSWERS = (b"Entry not found", b"Invalid username or password", b"Access to model", b"Not Found")
_ARCHIVES = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ": "xz",
    b"BZh": "bzip2",
    b"(\xb5/\xfd": "zstd",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
}


@dataclass(frozen=True, slots=True)
class Foreign:
    """`what` a file is ("a web page"), and what to do about it."""

    what: str
    hint: str


def recognise(head: bytes, path: Path, size: int | None = None) -> Foreign | None:
    """What the file at `path` is, by its first bytes; None for what is not known.

    GGUF and safetensors are known, too: ask only about a file that is not what it should be.
    """
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return _by_text(text, path) or _by_magic(head, path, size)


def _by_text(text: bytes, path: Path) -> Foreign | None:
    if text.startswith(b"version https://git-lfs"):
        pull = shlex.join(["git", "-C", str(path.parent), "lfs", "pull"])
        cloned = any((folder / ".git").exists() for folder in path.absolute().parents)
        return Foreign(
            "a pointer of git-lfs, which stands for a file that was not fetched",
            f"{pull}; or hf download ORG/NAME, which needs no git"
            if cloned
            else "hf download ORG/NAME; if that brings the pointer as well, the repository was "
            "uploaded without its files, and only its owner can help",
        )
    if text[:9].lower().startswith((b"<!doctype", b"<html", b"<head")):
        return Foreign(
            "a web page about the file",
            "hf download ORG/NAME; or an address with /resolve/ in place of /blob/",
        )
    if text.startswith(_ANSWERS) or (text[:1] == b"{" and text[:40].find(b'"error"') in (1, 2, 3)):
        said = text.split(b"\n")[0][:80].decode("utf-8", "replace")
        return Foreign(
            f"a server's answer in place of the file: {said}",
            "hf download ORG/NAME, after hf auth login where the model is gated",
        )
    return None


def _by_magic(head: bytes, path: Path, size: int | None) -> Foreign | None:
    quoted = shlex.quote(str(path))
    if head.startswith(b"GGUF"):
        gguf = shlex.quote(str(path.with_suffix(".gguf")))
        return Foreign("a GGUF file", f"mv {quoted} {gguf}, then qwq-gguf inspect {gguf}")
    if head.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04")):
        return Foreign(
            "a PyTorch pickle or a zip archive, whatever it is called",
            "take a revision with safetensors, or save the model again with Transformers: "
            "model.save_pretrained(FOLDER)",
        )
    if head.startswith(b"\x89HDF"):
        return Foreign("a file of Keras or TensorFlow (HDF5)", "take a revision with safetensors")
    for magic, name in _ARCHIVES.items():
        if head.startswith(magic):
            return Foreign(f"an archive ({name})", f"unpack it first: {quoted}")
    if len(head) >= 8 and not any(head):
        return Foreign(
            "nothing but zeros at its beginning: a download that did not finish, or a crash",
            "finish the download: hf download ORG/NAME goes on where it was",
        )
    length = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and 2 <= length < 1 << 27 and (size is None or 8 + length <= size):
        return Foreign(
            "a file of safetensors",
            f"qwq-gguf quantize {shlex.quote(str(path.parent))}, "
            "the folder with its config.json and tokenizer.json",
        )
    return None
