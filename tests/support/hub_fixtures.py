"""The loopback Hub as a fixture, with a cache and an account of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.hub import LoopbackHub

__all__ = ["hub", "hub_environment", "hub_session"]


def hub_environment(url: str, home: Path) -> dict[str, str]:
    """The variables by which any process talks to the loopback Hub and to nothing else."""
    return {
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture(scope="session")
def hub_session() -> Iterator[None]:
    """One session of the client for all tests: its certificates take half a second to load."""
    import huggingface_hub

    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        huggingface_hub.close_session()
        huggingface_hub.get_session()
    yield
    huggingface_hub.close_session()


@pytest.fixture
def hub(
    hub_session: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LoopbackHub]:
    """A Hub without repositories; HF_HOME is `tmp_path/"hf"`, nobody is signed in."""
    from huggingface_hub import constants

    from qwq_gguf.checkpoint.hub import blob as hub_blob
    from qwq_gguf.checkpoint.hub import http as hub_http
    from qwq_gguf.checkpoint.hub.retry import PATIENT, QUICK

    home = tmp_path / "hf"
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    # The client reads these once, when it is imported.
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(home / "stored_tokens"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub_http, "POLICY", replace(QUICK, first_wait=0.01))
    monkeypatch.setattr(hub_blob, "POLICY", replace(PATIENT, first_wait=0.01, longest_wait=0.01))
    with LoopbackHub() as running:
        for name, value in hub_environment(running.url, home).items():
            monkeypatch.setenv(name, value)
        yield running
