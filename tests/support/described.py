"""Requests made of the server's own description, by schemathesis, and what has to come of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["OPERATIONS", "operation_test"]

# What is described with a body, and the rest.
OPERATIONS = (
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/chat/completions/control"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/responses"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
    ("POST", "/tokenize"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{name}"),
    ("GET", "/settings"),
    ("GET", "/health"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
)


def operation_test(
    base: str, document: dict[str, Any], method: str, path: str, examples: int, seed: int
) -> Callable[[], None]:
    """A run of so many requests to one operation, half of them broken on purpose. It raises for a
    500, and for an answer that is not as described.
    """
    import hypothesis
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=base)
    operation = schema[path][method]
    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
    strategy = operation.as_strategy(generation_mode=modes[0])
    if method == "POST":
        strategy |= operation.as_strategy(generation_mode=modes[1])

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=strategy)
    def run(case: Any) -> None:
        case.call_and_validate(
            checks=[
                not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_schema_conformance,
            ],
            timeout=60,
        )

    return run
