"""Find out which kind of server an address is, and ask it what it applies."""

from __future__ import annotations

from typing import Any

from qwq_gguf.conformance.compare import Applied
from qwq_gguf.conformance.http import Client
from qwq_gguf.conformance.json_numbers import tokens
from qwq_gguf.conformance.llama_server import read_llama_server
from qwq_gguf.conformance.ollama import read_ollama
from qwq_gguf.errors import ServerError
from qwq_gguf.profiles.gguf_keys import FileSampling
from qwq_gguf.words import message_of, some

__all__ = ["ask_server"]

_ONE_TOKEN = {"prompt": "a", "n_predict": 1, "cache_prompt": False}


def ask_server(
    client: Client, *, model: str | None = None, file: FileSampling | None = None
) -> Applied:
    """What the server applies where a request names nothing.

    `model` names one of several; `file` is what the GGUF that it runs says. llama-server
    generates one token for this. ServerError when it cannot be asked, or is nothing known.
    """
    query = "" if model is None else f"?model={_quoted(model)}"
    props = client.get(f"/props{query}")
    if props is not None and "default_generation_settings" in props:
        asked: dict[str, Any] = dict(_ONE_TOKEN)
        if model is not None:
            asked["model"] = model
        completion = client.post("/completion", asked)
        return read_llama_server(props, completion, client.get("/v1/models"), file)
    tags = client.get("/api/tags")
    if tags is not None and "models" in tags:
        name = model or _only(tags["models"], "name", client)
        show = client.post("/api/show", {"model": name})
        if show is None:
            raise ServerError("Ollama has no such model", path=client.url, found=name)
        return read_ollama(show)
    models = client.get("/v1/models")
    if models is not None and "data" in models:
        return _openai(models, model, client)
    raise ServerError(
        "nothing known answers there",
        path=client.url,
        expected="llama-server, Ollama, or a server with /v1/models",
    )


def _openai(models: dict[str, Any], model: str | None, client: Client) -> Applied:
    """Such a server tells its models and, if it is vLLM, their context; nothing else."""
    name = model or _only(models["data"], "id", client)
    listed = models["data"] if isinstance(models["data"], list) else []
    mine = next((e for e in listed if isinstance(e, dict) and e.get("id") == name), None)
    if mine is None:
        raise ServerError("the server has no such model", path=client.url, found=name)
    context = mine.get("max_model_len")
    return Applied(
        server="an OpenAI-compatible server",
        context=tokens(context),
        origins={"context": "max_model_len"},
        notes=(
            "the OpenAI API does not tell what a server applies: "
            "send every number with each request, or set them where the server is started",
        ),
    )


def _only(entries: Any, key: str, client: Client) -> str:
    names = [
        message_of(entry[key])
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get(key), str)
    ]
    if len(names) == 1:
        return names[0]
    raise ServerError(
        "the server has several models" if names else "the server has no model",
        path=client.url,
        found=some(names, 8) or None,
        hint="--model NAME" if names else None,
    )


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
