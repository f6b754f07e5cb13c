"""What LM Studio takes for a key and its value, by the schema of its SDK.

tests/data/lmstudio-keys.json holds the keys, types and limits (scripts/lmstudio_schema);
the forms of the types are written out here, from the zod schemas of @lmstudio/sdk 2.0.0:
kvValueTypesLibrary, llmReasoningParsingSchema, llmLlamaLogitBiasConfigSchema and
llmStructuredPredictionSettingSchema.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["SCHEMA", "check_fields"]

SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "lmstudio-keys.json").read_text(encoding="utf-8")
)


def check_fields(fields: list[dict[str, Any]]) -> None:
    """Assert that LM Studio would parse these fields."""
    keys = [field["key"] for field in fields]
    assert len(set(keys)) == len(keys), "a key twice"
    for field in fields:
        assert set(field) == {"key", "value"}
        assert field["key"] in SCHEMA["keys"], f"{field['key']} is no key"
        _check(field["key"], SCHEMA["keys"][field["key"]], field["value"])


def _check(key: str, rule: dict[str, Any], value: Any) -> None:
    match rule["type"]:
        case "numeric":
            _number(key, rule, value)
        case "checkboxNumeric":
            assert isinstance(value, dict), key
            assert set(value) == {"checked", "value"}, key
            assert isinstance(value["checked"], bool), key
            _number(key, rule, value["value"])
        case "contextLength":
            _number(key, {"int": True, "min": 1}, value)
        case "stringArray":
            assert isinstance(value, list), key
            assert all(isinstance(text, str) for text in value), key
        case "string":
            assert isinstance(value, str), key
        case "llmReasoningParsing":
            assert set(value) == {"enabled", "startString", "endString"}, key
            assert isinstance(value["enabled"], bool), key
            assert isinstance(value["startString"] + value["endString"], str), key
        case "llamaLogitBias":
            for token, bias in value:
                _number(key, {"int": True, "min": 0}, token)
                assert bias == "-inf" or isinstance(bias, (int, float)), key
        case "llamaStructuredOutput":
            assert set(value) == {"type", "gbnfGrammar"}, key
            assert value["type"] == "gbnf", key
            assert isinstance(value["gbnfGrammar"], str), key
        case "boolean":
            assert isinstance(value, bool), key
        case "llamaCacheQuantizationType":
            assert set(value) == {"checked", "value"}, key
            assert isinstance(value["checked"], bool), key
            assert value["value"] in {
                "f32",
                "f16",
                "q8_0",
                "q4_0",
                "q4_1",
                "iq4_nl",
                "q5_0",
                "q5_1",
            }
        case "llamaAccelerationOffloadRatio":
            if value not in ("max", "off"):
                _number(key, {"min": 0, "max": 1}, value)
        case other:
            raise AssertionError(f"{key}: the form of {other} is not written out here")


def _number(key: str, rule: dict[str, Any], value: Any) -> None:
    assert isinstance(value, (int, float)), key
    assert not isinstance(value, bool), key
    assert rule.get("min", value) <= value <= rule.get("max", value), f"{key}: {value}"
    assert not rule.get("int") or value == int(value), f"{key}: {value}"
