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
    "tools": "tests/engine/test_families.py::test_a_call_in_the_familys_own_form_is_run",
    "exports": "tests/exporters/test_families.py::test_each_runtime_is_told_in_its_own_words",
}
ROWS = (
    Row(
        "QwQ, Qwen2.5, R1-Distill-Qwen",
        "qwen2",
        "qwen2",
        thoughts="qwq",
        tools="qwq",
        exports="qwq",
    ),
    Row("Qwen3", "qwen3", "qwen3", thoughts="qwen3", tools="qwen3", exports="qwen3"),
    Row(
        "Qwen3-30B-A3B",
        "qwen3moe",
        "qwen3moe",
        "Qwen3-30B-A3B",
        "qwen3moe",
        "qwen3",
        "qwen3",
        "qwen3",
    ),
    Row(
        "Qwen3.5, 3.6, 3.8",
        "qwen35",
        "qwen35",
        "Qwen3.5-like-9B",
        "qwen35",
        "qwen3.6",
        "qwen3.6",
        "qwen3.6",
    ),
    Row(
        "Qwen3.5-35B-A3B",
        "qwen35moe",
        "qwen35moe",
        "Qwen3.5-35B-A3B",
        "qwen35moe",
        "qwen3.6",
        "qwen3.6",
        "qwen3.6",
    ),
    Row(
        "Qwen3-Next",
        "qwen3next",
        "qwen3next",
        runs="qwen3next",
        thoughts="qwen3-next",
        tools="qwen3-next",
        exports="qwen3-next",
    ),
    Row("R1-Distill-Llama", "llama", "llama", thoughts="r1-llama", exports="r1-llama"),
    Row("Llama 3.x", "llama", "llama", tools="llama3"),
    Row(
        "DeepSeek-V3, R1",
        "deepseek2",
        "deepseek",
        "DeepSeek-R1",
        "deepseek",
        "deepseek-r1",
        "deepseek-r1",
        "deepseek-r1",
    ),
    Row(
        "GLM-4.7-Flash",
        "deepseek2",
        "glm-flash",
        runs="glm-flash",
        thoughts="glm",
        tools="glm",
        exports="glm",
    ),
    Row("GLM-4.5, 4.6", "glm4moe", "glm4moe", "GLM-4.5-Air", "glm4moe", "glm", "glm", "glm"),
    Row("gpt-oss", "gpt-oss", "gpt-oss", "gpt-oss-20b", "gpt-oss", "gpt-oss", "gpt-oss", "gpt-oss"),
    Row(
        "Seed-OSS",
        "seed_oss",
        "seed-oss",
        "Seed-OSS-36B",
        "seed-oss",
        "seed-oss",
        "seed-oss",
        "seed-oss",
    ),
    Row("SmolLM3", "smollm3", "smollm3", "SmolLM3-3B", "smollm3", "smollm3", "smollm3", "smollm3"),
    Row("Phi-4-reasoning", "phi3", "phi3", "Phi-4-reasoning", "phi3", "phi4", exports="phi4"),
    Row("Phi-4-mini-reasoning", "phi3", "phi3-long", runs="phi3-long"),
    Row(
        "Magistral",
        "mistral3",
        "magistral",
        runs="magistral",
        thoughts="magistral",
        tools="magistral",
        exports="magistral",
    ),
    Row(
        "Ministral 3 Reasoning",
        "mistral3",
        "ministral3",
        "Ministral-3-14B",
        "ministral3",
        "magistral",
        "magistral",
        "magistral",
    ),
    Row("Olmo 3", "olmo2", "olmo3", "Olmo-3-32B", "olmo3", "olmo3", exports="olmo3"),
    Row("OLMo 2", "olmo2", "olmo2", runs="olmo2"),
    Row(
        "EXAONE 4.0",
        "exaone4",
        "exaone4",
        "EXAONE-4.0-32B",
        "exaone4",
        "exaone4",
        "exaone4",
        "exaone4",
    ),
    Row(
        "Nemotron-H, Nemotron Nano 2",
        "nemotron_h",
        "nemotron-h",
        "Nemotron-Nano-9B-v2",
        "nemotron-h",
        "nemotron-nano",
        "nemotron-nano",
        "nemotron-nano",
    ),
    Row(
        "Nemotron 3 Nano",
        "nemotron_h_moe",
        "nemotron-h-moe",
        "Nemotron-3-Nano",
        "nemotron-h-moe",
        "nemotron",
        "nemotron",
        "nemotron",
    ),
    Row(
        "Nemotron 3 Super",
        "nemotron_h_moe",
        "nemotron-h-latent",
        runs="nemotron-h-latent",
        thoughts="nemotron",
        tools="nemotron",
        exports="nemotron",
    ),
    Row("Gemma 4 31B", "gemma4", "gemma4", "Gemma-4-31B", "gemma4", "gemma4", "gemma4", "gemma4"),
    Row(
        "Gemma 4 26B-A4B",
        "gemma4",
        "gemma4-moe",
        "Gemma-4-26B-A4B",
        "gemma4-moe",
        "gemma4",
        "gemma4",
        "gemma4",
    ),
    Row(
        "Gemma 4 E2B, E4B",
        "gemma4",
        "gemma4-small",
        "Gemma-4-E2B",
        "gemma4-small",
        "gemma4",
        "gemma4",
        "gemma4",
    ),
)

_HEAD = """\
# Models

What holds for each family, and the case of a test that shows it. `scripts/render_models` writes
this page, and a test fails when it is stale. What `thoughts` and `tools` show of our own engine
`tests/conformance/test_real_families.py` shows of a real llama-server. A `-` is no claim: for
Qwen2, Qwen3 and Llama older tests of whole modules say what `plans` and `runs` say of the others.

| column | what holds | test |
|---|---|---|
"""
_MEANING = {
    "converts": "the file is llama.cpp's converter's, to the byte",
    "plans": "at the real shape each recipe gives each tensor the type that llama.cpp gives it",
    "runs": "llama.cpp computes with it what Transformers computes with the checkpoint",
    "thoughts": "thought and answer come apart in `chat`",
    "tools": "calls in the family's own form are found, run and told again",
    "exports": "each runtime is told of the family's thoughts in its own words",
}
# Why families have no case of a column.
_WITHOUT = {
    "thoughts": (
        "Llama 3.x and OLMo 2 do not think.",
        "Phi-4-mini-reasoning thinks, but nothing in its template says so, and no profile is made "
        "for it.",
    ),
    "tools": (
        "The templates of R1-Distill-Llama, OLMo 2 and Phi-4-reasoning have no place for tools, "
        "and we know no form of Phi-4-mini-reasoning's calls.",
        "Olmo 3 writes calls as Python does, in `<function_calls>`: we have no format for that, "
        "and its thinking models' template is not given tools in the usual way.",
        "SmolLM3's template says how to call and leaves earlier calls out. `chat` puts them into "
        "the text again; llama-server finds no calls of it, which its export says.",
    ),
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
    why = [f"- {name}: {reason}" for name, reasons in _WITHOUT.items() for reason in reasons]
    parts = ("\n".join(lines), "\n".join(table), "What is not there:\n\n" + "\n".join(why))
    return _HEAD + "\n\n".join(parts) + "\n"
