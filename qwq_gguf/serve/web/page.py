"""The page at `/`: files that come with the package, and nothing from anywhere else."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qwq_gguf.serve.refusal import Refusal
from qwq_gguf.serve.web.refused import refused_response

__all__ = ["page_routes"]

_FOLDER = Path(__file__).parents[1] / "page"
_INDEX = "index.html"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page_routes() -> list[Route]:
    """`/` and `/page/NAME`. The names are those of the files when the server begins."""
    files = {
        path.name: (path.read_bytes(), _KINDS[path.suffix])
        for path in sorted(_FOLDER.glob("*"))
        if path.suffix in _KINDS
    }

    def file(name: str, path: str) -> Response:
        if name not in files:
            return refused_response(Refusal("there is nothing here", status=404), path)
        content, kind = files[name]
        headers = {"content-security-policy": _POLICY, "cache-control": "no-cache"}
        return Response(content, headers=headers, media_type=kind)

    async def index(request: Request) -> Response:
        return file(_INDEX, "/")

    async def named(request: Request) -> Response:
        return file(request.path_params["name"], "/page/")

    return [
        Route("/", index, methods=["GET"]),
        Route("/page/{name}", named, methods=["GET"]),
    ]
