"""`response_format` and its cousins: a grammar that the answer has to be a text of."""

from __future__ import annotations

from qwq_gguf.errors import ChainError
from qwq_gguf.sampling import Grammar
from qwq_gguf.serve.reading.fields import Fields
from qwq_gguf.serve.refusal import Refusal
from qwq_gguf.serve.schema import ANY_OBJECT, grammar_of

__all__ = ["read_shape", "shape_of_schema"]


def read_shape(fields: Fields, name: str = "response_format") -> str | None:
    """The grammar that a chat completion's format comes to; None for plain text."""
    form = fields.object(name)
    if form is None:
        return None
    match form.needed_choice("type", ("text", "json_object", "json_schema")):
        case "json_object" if form.has("schema"):  # as llama-server takes it
            return shape_of_schema(form, "schema")
        case "json_object":
            return ANY_OBJECT
        case "json_schema":
            inner = form.needed_object("json_schema")
            return shape_of_schema(inner, "schema")
    return None


def shape_of_schema(fields: Fields, name: str) -> str:
    """The grammar of a JSON schema. Refusal for one that it cannot express."""
    schema = fields.needed_object(name)
    text = grammar_of(schema.data, at=schema.place("")[:-1])
    try:
        Grammar(text)
    except ChainError as error:
        raise Refusal(
            f"this schema is too large or too ambiguous: {error.message}",
            param=fields.place(name),
            code="unsupported_schema",
        ) from None
    return text
