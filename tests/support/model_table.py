"""docs/models.md: what holds for each family of models, and the test that shows it.

A cell names a case of the test in its column's head; an empty one has none. Whoever adds an
architecture adds a row here, and runs `scripts/render_models`.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

__all__ = ["COLUMNS", "ROWS", "Row", "page"]


@dataclass(frozen=True)
class Row:
    """A family by its models and architecture, and a case of each column's test."""

    models: str
    architecture: str
    converts: str
    plans: str = ""
    runs: str = ""
    thoughts: str = ""
    tools: str = ""
    exports: str = ""


COLUMNS = {
    "converts": "tests/conversion/test_goldens.py::test_the_file_is_the_same_to_the_byte",
    "plans": "tests/quantization/test_oracle_experts.py::test_types_are_llama_cpps",
    "runs": "tests/conversion/test_goldens.py::test_the_model_computes_what_transformers_computes",
    "thoughts": "tests/engine/test_families.py::test_thought_and_answer_come_apart",
    "tools": "tests/chat/test_tool_use.py::test_the_format_is_found_by_rendering",
    "exports": "tests/exporters/test_families.py::test_each_runtime_is_told_in_its_own_words",
}
ROWS = (
    Row("QwQ, Qwen2.5, R1-Distill-Qwen", "qwen2", "qwen2", "", "", "qwq", "hermes", "qwq"),
    Row("Qwen3", "qwen3", "qwen3", "", "", "qwen3", "hermes", "qwen3"),
    Row(
        "Qwen3-30B-A3B",
        "qwen3moe",
        "qwen3moe",
        "Qwen3-30B-A3B",
        "qwen3moe",
        "qwen3",
        "hermes",
        "qwen3",
    ),
    Row(
        "Qwen3.5, 3.6, 3.8",
        "qwen35",
        "qwen35",
        "Qwen3.5-like-9B",
        "qwen35",
        "qwen3.6",
        "qwen-xml",
        "qwen3.6",
    ),
    Row(
        "Qwen3.5-35B-A3B",
        "qwen35moe",
        "qwen35moe",
        "Qwen3.5-35B-A3B",
        "qwen35moe",
        "qwen3.6",
        "qwen-xml",
        "qwen3.6",
    ),
    Row("Qwen3-Next", "qwen3next", "qwen3next", "", "qwen3next", tools="hermes"),
    Row("R1-Distill-Llama, Llama 3.x", "llama", "llama", tools="llama"),
    Row(
        "DeepSeek-V3, R1",
        "deepseek2",
        "deepseek",
        "DeepSeek-R1",
        "deepseek",
        "deepseek-r1",
        "deepseek",
        "deepseek-r1",
    ),
    Row("GLM-4.7-Flash", "deepseek2", "glm-flash", "", "glm-flash", "glm", "glm", "glm"),
    Row("GLM-4.5, 4.6", "glm4moe", "glm4moe", "GLM-4.5-Air", "glm4moe", "glm", "glm", "glm"),
    Row("gpt-oss", "gpt-oss", "gpt-oss", "gpt-oss-20b", "gpt-oss", "gpt-oss", exports="gpt-oss"),
    Row(
        "Seed-OSS",
        "seed_oss",
        "seed-oss",
        "Seed-OSS-36B",
        "seed-oss",
        "seed-oss",
        "seed",
        "seed-oss",
    ),
    Row("SmolLM3", "smollm3", "smollm3", "SmolLM3-3B", "smollm3", "smollm3", "", "smollm3"),
    Row("Phi-4-reasoning", "phi3", "phi3", "Phi-4-reasoning", "phi3", "phi4", "", "phi4"),
    Row("Phi-4-mini-reasoning", "phi3", "phi3-long", "", "phi3-long"),
    Row(
        "Magistral",
        "mistral3",
        "magistral",
        "",
        "magistral",
        "magistral",
        "mistral",
        "magistral",
    ),
    Row(
        "Ministral 3 Reasoning",
        "mistral3",
        "ministral3",
        "Ministral-3-14B",
        "ministral3",
        "magistral",
        "mistral",
        "magistral",
    ),
    Row("Olmo 3", "olmo2", "olmo3", "Olmo-3-32B", "olmo3", "olmo3", "", "olmo3"),
    Row("OLMo 2", "olmo2", "olmo2", "", "olmo2"),
    Row("EXAONE 4.0", "exaone4", "exaone4", "EXAONE-4.0-32B", "exaone4", "exaone4", "", "exaone4"),
    Row(
        "Nemotron-H, Nemotron Nano 2",
        "nemotron_h",
        "nemotron-h",
        "Nemotron-Nano-9B-v2",
        "nemotron-h",
        "nemotron-nano",
        "nemotron",
        "nemotron-nano",
    ),
    Row(
        "Nemotron 3 Nano",
        "nemotron_h_moe",
        "nemotron-h-moe",
        "Nemotron-3-Nano",
        "nemotron-h-moe",
        "nemotron",
        "qwen-xml",
        "nemotron",
    ),
    Row(
        "Nemotron 3 Super",
        "nemotron_h_moe",
        "nemotron-h-latent",
        "",
        "nemotron-h-latent",
        "nemotron",
        "qwen-xml",
        "nemotron",
    ),
    Row("Gemma 4 31B", "gemma4", "gemma4", "Gemma-4-31B", "gemma4", "gemma4", "gemma", "gemma4"),
    Row(
        "Gemma 4 26B-A4B",
        "gemma4",
        "gemma4-moe",
        "Gemma-4-26B-A4B",
        "gemma4-moe",
        "gemma4",
        "gemma",
        "gemma4",
    ),
    Row(
        "Gemma 4 E2B, E4B",
        "gemma4",
        "gemma4-small",
        "Gemma-4-E2B",
        "gemma4-small",
        "gemma4",
        "gemma",
        "gemma4",
    ),
)

_HEAD = """\
# Models

What holds for each family, and the case of a test that shows it. `scripts/render_models` writes
this page, and a test fails when it is stale. A `-` is no claim: for Qwen2, Qwen3 and Llama older
tests of whole modules say what these columns say of the others.

| column | what holds | test |
|---|---|---|
"""
_MEANING = {
    "converts": "the file is llama.cpp's converter's, to the byte",
    "plans": "at the real shape each recipe gives each tensor the type that llama.cpp gives it",
    "runs": "llama.cpp computes with it what Transformers computes with the checkpoint",
    "thoughts": "thought and answer come apart in `chat`",
    "tools": "calls are found in the form that the family's templates write",
    "exports": "each runtime is told of the family's thoughts in its own words",
}


def page() -> str:
    """The text of docs/models.md."""
    lines = [f"| {name} | {_MEANING[name]} | `{test}` |" for name, test in COLUMNS.items()]
    names = [field.name for field in fields(Row)]
    table = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    for row in ROWS:
        models, architecture, *cells = astuple(row)
        shown = [f"`{cell}`" if cell else "-" for cell in cells]
        table.append(f"| {' | '.join([models, f'`{architecture}`', *shown])} |")
    return _HEAD + "\n".join(lines) + "\n\n" + "\n".join(table) + "\n"
