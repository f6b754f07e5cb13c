"""Profiles and a model for the tests of the exporters."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from qwq_gguf.exporters.chatml import read_chatml
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.profiles import Profile, load_profile
from qwq_gguf.sampling import (
    Dist,
    Dry,
    Grammar,
    LogitBias,
    MinP,
    Penalties,
    SamplerChain,
    Temperature,
    TopK,
    TopNSigma,
    TopP,
    TypicalP,
    Xtc,
)
from qwq_gguf.thinking import read_form

__all__ = ["EVERYTHING", "FACTS", "SEQUENCE", "TEMPLATE"]

SEQUENCE = "dry;temperature;top_k;top_p;min_p;typ_p;top_n_sigma;xtc;penalties"
"""The order of EVERYTHING as general.sampling.sequence and --samplers have it."""

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = (ROOT / "modelfiles" / "qwq-32b.jinja").read_text(encoding="utf-8")
FACTS = GgufFacts(
    file="../some where/QwQ 'x'.gguf",
    architecture="qwen2",
    context=131072,
    template=TEMPLATE,
    chatml=read_chatml(TEMPLATE),
    thought=read_form(TEMPLATE),
    license="apache-2.0",
    base="Qwen/QwQ-32B",
    size="32.8B",
    bos=5,
    eos=7,
    pad=5,
    ids={
        "<|im_end|>": 7,
        "<|endoftext|>": 5,
        "<|im_start|>": 6,
        "Wait": 65,
        "<think>": 8,
        "</think>": 9,
    },
)
# Every stage at work, every number its own.
EVERYTHING: Profile = replace(
    load_profile("qwq"),
    name="Everything ../.. at once",
    chain=SamplerChain(
        (
            LogitBias((("Wait", -2.0), (66, -math.inf))),
            Grammar('root ::= "yes" | "no"'),
            Dry(0.5, 1.6, 3, 77, ("\n", "§")),
            Temperature(0.61, 0.21, 1.3),
            TopK(41),
            TopP(0.93),
            MinP(0.013),
            TypicalP(0.87),
            TopNSigma(1.7),
            Xtc(0.31, 0.12),
            Penalties(1.15, 0.45, 0.55, 301),
            Dist(),
        )
    ),
    context=8190,
    stops=("<|im_end|>", "STOP \\ \uff5c"),
)
