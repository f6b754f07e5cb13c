"""ed25519 keys: made, read from files, used. The one place that knows `cryptography`."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.engine.saving.key import write_private
from qwq_gguf.errors import MissingPackageError, UsageError
from qwq_gguf.files.reading import read_file
from qwq_gguf.files.writing import write_files

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["available", "is_by", "key_id", "make_key", "public_of", "read_public", "sign"]

_MAX_KEY = 16 << 10
_BYTES = 32


def available() -> bool:
    """Whether signatures can be made and checked here."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        return False
    return True


def key_id(public: bytes) -> str:
    """What a public key is called: the SHA-256 of its 32 bytes, in hex."""
    return hashlib.sha256(public).hexdigest()


def make_key(path: Path) -> Path:
    """A new private key at `path`, that nobody else may read, and its public one in `path.pub`,
    which is returned. OutputError where one of them is there.
    """
    _need()
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    public = key.public_key().public_bytes(
        forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo
    )
    beside = path.with_name(f"{path.name}.pub")
    write_files({path: partial(write_private, [private]), beside: public})
    return beside


def sign(path: Path, data: bytes) -> tuple[bytes, bytes]:
    """The signature of `data` by the private key in a file, and the public key."""
    key = _private(path)
    return key.sign(data), key.public_key().public_bytes_raw()


def public_of(path: Path) -> bytes:
    """The public key of the private one in a file."""
    return _private(path).public_key().public_bytes_raw()


def read_public(path: Path) -> bytes:
    """A public key from a file of PEM, as `make_key` writes it. UsageError for anything else."""
    _need()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = _content(path)
    try:
        key = load_pem_public_key(content)
    except Exception as problem:  # of several kinds, for what is no PEM
        raise _no_key(path, "public") from problem
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public")
    return key.public_bytes_raw()


def is_by(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the signature of `data` is whole and by this key."""
    _need()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(public) != _BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _private(path: Path) -> Ed25519PrivateKey:
    _need()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _content(path)
    try:
        key = load_pem_private_key(content, password=None)
    except Exception as problem:
        raise _no_key(path, "private") from problem
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "private")
    return key


def _content(path: Path) -> bytes:
    try:
        return read_file(path, _MAX_KEY)[:_MAX_KEY]
    except OSError as problem:
        raise UsageError(
            f"the key cannot be read: {problem.strerror or problem}",
            path=path,
            hint="--new-key makes one there",
        ) from problem


def _no_key(path: Path, kind: str) -> UsageError:
    return UsageError(
        f"this is no {kind} key that can be used",
        path=path,
        expected=f"an ed25519 key in PEM, without a password ({kind})",
    )


def _need() -> None:
    if not available():
        raise MissingPackageError(
            "signatures need the package cryptography",
            hint="pip install 'qwq-gguf[attest]'",
        )
