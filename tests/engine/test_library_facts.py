"""What the installed library says of itself."""

from __future__ import annotations

from dataclasses import replace

from qwq_gguf.engine.llama.library import library_facts


def test_what_the_processors_code_was_compiled_to_use() -> None:
    facts = library_facts()
    said = replace(
        facts,
        system_info="CUDA : ARCHS = 900 | F16 = 1 | CPU : SSE3 = 1 | AVX = 0 | AVX2 = 1 | X = 1",
    )
    assert said.cpu_features == ("SSE3", "AVX2", "X")
    assert replace(facts, system_info="").cpu_features == ()
    # This one's own words are understood, too.
    assert "REPACK" in facts.cpu_features or "LLAMAFILE" in facts.cpu_features
