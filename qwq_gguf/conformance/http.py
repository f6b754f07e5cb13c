"""Small, bounded requests to the one server that the user named.

Answers are limited in size and time, proxies and cookies play no part, and a redirect is
reported, never followed: an API key goes to that server and to no other.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
from typing import Any
from urllib.parse import urlsplit

from qwq_gguf.deadline import Deadline
from qwq_gguf.errors import ServerError
from qwq_gguf.json_text import parse_json
from qwq_gguf.words import message_of

__all__ = ["MAX_ANSWER", "Client"]

# What is read of it takes up to 35 times the room. Ollama's /api/show of a model with a long
# license, template and list of tensors has some 200 KB.
MAX_ANSWER = 4 << 20
TIMEOUT = 10.0  # seconds without a byte
PATIENCE = 60.0  # seconds for one whole exchange, however alive it is
_PIECE = 1 << 16
_MAX_KEY = 4096


class Client:
    """Requests below one address, such as http://127.0.0.1:8080 or https://host/prefix.

    A trailing /v1 is taken off, because people paste it. `api_key` goes along as a bearer
    token, and is in no message. ServerError when the address is none, or the key cannot be
    one.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
    ) -> None:
        # Whatever stands before an @, or behind a ?, may be a secret.
        self.url = message_of(re.split(r"[?#]", url.rpartition("@")[2])[0])
        self._timeout = timeout
        self._patience = patience
        self._key = (api_key or "").strip()
        if len(self._key) > _MAX_KEY or any(not "!" <= letter <= "~" for letter in self._key):
            raise self._error("the API key cannot be one", expected="visible ASCII, no spaces")
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port
        except ValueError as error:
            raise self._error("not an address", expected="http://HOST:PORT") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise self._error("not an address", expected="http://HOST:PORT")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise self._error("an address has no name, question or fragment in it")
        if any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
            raise self._error("an address has no spaces in it")
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = port
        self._prefix = parts.path.rstrip("/").removesuffix("/v1")

    @property
    def exposes_key(self) -> bool:
        """Whether the key leaves this machine unencrypted."""
        if not self._key or self._secure or self._host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self._host).is_loopback
        except ValueError:
            return True

    def get(self, path: str) -> dict[str, Any] | None:
        """The JSON object at `path`; None when the server has none there."""
        return self._request("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The JSON object that answers `body`; None when the server has nothing there."""
        return self._request("POST", path, json.dumps(body).encode())

    def _request(self, method: str, path: str, body: bytes | None) -> dict[str, Any] | None:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout)
        headers = {"Accept": "application/json", "Connection": "close"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        with Deadline(self._patience) as deadline:
            try:
                connection.connect()
                deadline.watch(connection.sock)
                connection.request(method, self._prefix + path, body, headers)
                with connection.getresponse() as answer:
                    raw = self._read(answer, path)
            except (OSError, http.client.HTTPException, ValueError) as error:
                if deadline.passed or isinstance(error, TimeoutError):
                    raise self._error(f"{path} took too long") from error
                raise self._error(
                    f"cannot be asked: {message_of(str(error)) or type(error).__name__}",
                    hint="is the server running, and is this its address?",
                ) from error
            finally:
                connection.close()
            if deadline.passed:  # what was cut may look like an end
                raise self._error(f"{path} took too long")
        if 300 <= answer.status < 400:
            raise self._error(
                f"{path} leads elsewhere, which is not followed",
                found=answer.getheader("Location") or "",
                hint="name the address it leads to, if you trust it",
            )
        if answer.status in (404, 405, 501):
            return None
        if answer.status in (401, 403):
            raise self._error(
                f"{path} was answered with status {answer.status}",
                found="an API key that the server does not take" if self._key else "no API key",
                hint="--api-key KEY, or QWQ_GGUF_API_KEY in the environment",
            )
        if answer.status != 200:
            raise self._error(
                f"{path} was answered with status {answer.status}",
                found=raw[:200].decode("utf-8", "replace"),
            )
        return self._object(raw, path)

    def _read(self, answer: http.client.HTTPResponse, path: str) -> bytes:
        pieces = bytearray()
        while piece := answer.read1(_PIECE):
            pieces += piece
            if len(pieces) > MAX_ANSWER:
                raise self._error(
                    f"{path} is absurdly long", expected=f"at most {MAX_ANSWER} bytes"
                )
        return bytes(pieces)

    def _object(self, raw: bytes, path: str) -> dict[str, Any]:
        try:
            value = parse_json(raw)
            if b"\\ud" in raw.lower():  # half a surrogate pair can be shown nowhere
                json.dumps(value, ensure_ascii=False).encode("utf-8")
        except ValueError as error:
            raise self._error(
                f"{path} is no JSON", found=raw[:80].decode("utf-8", "replace")
            ) from error
        if not isinstance(value, dict):
            raise self._error(f"{path} is no JSON object", found=type(value).__name__)
        return value

    def _error(
        self,
        message: str,
        *,
        found: object = None,
        expected: object = None,
        hint: str | None = None,
    ) -> ServerError:
        if self._key:  # a server may send back what it was sent
            message = message.replace(self._key, "(the API key)")
            found = found if found is None else str(found).replace(self._key, "(the API key)")
        found = message_of(str(found)) if found is not None else None
        return ServerError(message, path=self.url, found=found, expected=expected, hint=hint)
