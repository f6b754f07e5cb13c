"""The routes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from qwq_gguf.serve.access import Access
from qwq_gguf.serve.description import describe
from qwq_gguf.serve.reading.anthropic import read_anthropic
from qwq_gguf.serve.reading.chat import read_chat
from qwq_gguf.serve.reading.completions import read_completion
from qwq_gguf.serve.reading.fields import Fields, read_body
from qwq_gguf.serve.reading.others import read_control, read_tokenize
from qwq_gguf.serve.reading.responses import read_response
from qwq_gguf.serve.refusal import Refusal, refusal_of
from qwq_gguf.serve.web.body import body_of
from qwq_gguf.serve.web.exchange import Exchange, SseAnswer, WholeAnswer, new_id
from qwq_gguf.serve.web.guard import Guard
from qwq_gguf.serve.web.page import page_routes
from qwq_gguf.serve.web.refused import refused_response
from qwq_gguf.serve.web.service import Service
from qwq_gguf.serve.writing.anthropic import AnthropicStream, message_object
from qwq_gguf.serve.writing.chat import ChatHead, ChatStream, chat_object
from qwq_gguf.serve.writing.completions import TextStream, text_object
from qwq_gguf.serve.writing.frames import Stream, as_json
from qwq_gguf.serve.writing.parts import Whole
from qwq_gguf.serve.writing.responses import ResponseHead, ResponseStream, response_object
from qwq_gguf.version import __version__

__all__ = ["make_app"]

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]


def make_app(service: Service, access: Access) -> ASGIApp:
    """The application. Its life's end frees the models."""

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        yield
        await service.close()

    routes = _Routes(service)
    table: list[tuple[str, str, Handler]] = [
        ("POST", "/v1/chat/completions", routes.chat),
        ("POST", "/v1/chat/completions/control", routes.control),
        ("POST", "/v1/completions", routes.completions),
        ("POST", "/v1/responses", routes.responses),
        ("POST", "/v1/messages", routes.messages),
        ("POST", "/v1/messages/count_tokens", routes.count_tokens),
        ("GET", "/v1/models", routes.models),
        ("GET", "/v1/models/{name:path}", routes.model),
        ("POST", "/tokenize", routes.tokenize),
        ("GET", "/settings", routes.settings),
        ("GET", "/health", routes.health),
        ("GET", "/metrics", routes.metrics),
        ("GET", "/openapi.json", routes.openapi),
    ]
    app = Starlette(
        routes=[
            *(Route(path, routes.safe(handler), methods=[verb]) for verb, path, handler in table),
            *page_routes(),
        ],
        exception_handlers={HTTPException: _no_route},
        lifespan=life,
    )
    return Guard(app, access, service.metrics, service.log)


async def _no_route(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    said = "this path takes another method" if status == 405 else "there is nothing here"
    return refused_response(Refusal(said, status=status), request.url.path)


class _Routes:
    """What each route does."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def safe(self, handler: Handler) -> Handler:
        """The handler, whose errors are answers too."""

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except Exception as error:
                self._service.failed(error)
                return refused_response(refusal_of(error), request.url.path)

        return handle

    async def chat(self, request: Request) -> Response:
        """OpenAI's chat completions."""
        service = self._service
        ask = await self._read(request, read_chat)
        head = ChatHead(new_id("chatcmpl-"), int(time.time()), service.shelf.name_of(ask.model))
        stream = ChatStream(head, ask.choices, include_usage=ask.include_usage)
        exchange = await service.begin(ask, head.id)
        return self._answer(
            request, exchange, stream, lambda replies, cached: chat_object(head, replies, cached)
        )

    async def completions(self, request: Request) -> Response:
        """OpenAI's completions of a text."""
        service = self._service
        ask = await self._read(request, read_completion)
        head = ChatHead(new_id("cmpl-"), int(time.time()), service.shelf.name_of(ask.model))
        stream = TextStream(head, include_usage=ask.include_usage)
        exchange = await service.begin(ask, head.id)
        return self._answer(
            request, exchange, stream, lambda replies, cached: text_object(head, replies, cached)
        )

    async def responses(self, request: Request) -> Response:
        """OpenAI's responses."""
        service = self._service
        ask = await self._read(request, read_response)
        model = service.shelf.name_of(ask.model)
        head = ResponseHead(new_id("resp_"), int(time.time()), model)
        exchange = await service.begin(ask, head.name)
        stream = ResponseStream(head, new_id)
        return self._answer(request, exchange, stream, response_object(head, new_id))

    async def messages(self, request: Request) -> Response:
        """Anthropic's messages."""
        service = self._service
        ask = await self._read(request, read_anthropic)
        name, model = new_id("msg_"), service.shelf.name_of(ask.model)
        exchange = await service.begin(ask, name, call_id="toolu_")
        stream = AnthropicStream(name, model)
        return self._answer(request, exchange, stream, message_object(name, model))

    async def count_tokens(self, request: Request) -> Response:
        """How long the prompt of a message would be."""
        ask = await self._read(request, read_anthropic)
        count = await self._service.ask(ask.model, lambda resident: resident.prompt_tokens(ask))
        return _json({"input_tokens": count})

    async def control(self, request: Request) -> Response:
        """Tell a running reply to answer now, as llama-server has it."""
        name = await self._read(request, read_control)
        if not self._service.answer_now(name):
            raise Refusal(
                "no reply of this id is being made", status=404, param="id", code="not_found"
            )
        return _json({"id": name, "success": True})

    async def models(self, request: Request) -> Response:
        """The models there are."""
        names = self._service.shelf.names
        return _json({"object": "list", "data": [self._model(name) for name in names]})

    async def model(self, request: Request) -> Response:
        """One of them."""
        name = request.path_params["name"]
        if name not in self._service.shelf.names:
            raise Refusal(f"there is no model {name[:100]}", status=404, code="model_not_found")
        return _json(self._model(name))

    async def tokenize(self, request: Request) -> Response:
        """The tokens of a text."""
        model, text = await self._read(request, read_tokenize)
        tokens = await self._service.ask(model, lambda resident: resident.tokenize(text))
        return _json({"tokens": tokens, "count": len(tokens)})

    async def settings(self, request: Request) -> Response:
        """How the model is run where a request says nothing."""
        model = request.query_params.get("model")
        return _json(await self._service.ask(model, lambda resident: resident.settings()))

    async def health(self, request: Request) -> Response:
        """Whether it answers."""
        status = self._service.status
        return _json({"status": status}, 200 if status == "ok" else 503)

    async def metrics(self, request: Request) -> Response:
        """What it has done, for Prometheus."""
        text = self._service.metrics.text(self._service.gauges())
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def openapi(self, request: Request) -> Response:
        """What all this takes and gives."""
        return _json(await self._service.in_thread(lambda: describe(__version__)))

    async def _read(self, request: Request, read: Callable[[Fields], T]) -> T:
        """What a body comes to. In a thread: a large one takes its time, and a grammar too."""
        limits = self._service.limits
        raw = await body_of(request, limits)
        return await self._service.in_thread(lambda: read(read_body(raw, limits)))

    def _answer(
        self,
        request: Request,
        exchange: Exchange,
        stream: Stream,
        made: Callable[[list[Whole], int], dict[str, Any]],
    ) -> Response:
        if exchange.ask.stream:
            return SseAnswer(exchange, stream, self._service.left)
        path = request.url.path
        return WholeAnswer(
            exchange, made, lambda refusal: refused_response(refusal, path), self._service.left
        )

    def _model(self, name: str) -> dict[str, Any]:
        created = self._service.began
        return {"id": name, "object": "model", "created": created, "owned_by": "qwq-gguf"}


def _json(data: dict[str, Any], status: int = 200) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(as_json(data), status, headers, media_type="application/json")
