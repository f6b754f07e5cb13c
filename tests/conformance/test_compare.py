"""Wanted against applied, without a server."""

from __future__ import annotations

import math
from typing import Any

import pytest

from qwq_gguf.conformance import Applied, Row, Verdict, advice, compare
from qwq_gguf.conformance.llama_server import read_llama_server
from qwq_gguf.conformance.ollama import read_ollama
from qwq_gguf.exporters.forbidding import grammar_spellings
from qwq_gguf.metadata import f32
from qwq_gguf.profiles import load_profile, resolve
from qwq_gguf.profiles.gguf_keys import FileSampling

QWQ = load_profile("qwq")
ORDER = ["temperature", "top_k", "top_p", "min_p", "penalties"]
PARAMS: dict[str, Any] = {
    "temperature": 0.6000000238418579,
    "dynatemp_range": 0.0,
    "dynatemp_exponent": 1.0,
    "top_k": 40,
    "top_p": 0.949999988079071,
    "min_p": 0.009999999776482582,
    "top_n_sigma": -1.0,
    "typical_p": 1.0,
    "repeat_last_n": 16384,
    "repeat_penalty": 1.0,
    "presence_penalty": 1.0,
    "frequency_penalty": 0.0,
    "dry_multiplier": 0.0,
    "xtc_probability": 0.0,
    "samplers": ORDER,
}
SHOW: dict[str, Any] = {
    "parameters": 'stop    "<|im_end|>"\nstop  "<|im_start|>"\nstop "<|endoftext|>"\n'
    "temperature 0.6\ntop_p 0.95\nmin_p 0.01\nnum_ctx 16384\nrepeat_last_n 16384\n"
    "presence_penalty 1\n",
    "model_info": {
        "general.architecture": "qwen2",
        "general.sampling.sequence": ";".join(ORDER),
        "qwen2.context_length": 40960,
    },
}


def by_name(rows: tuple[Row, ...]) -> dict[str, Row]:
    return {row.setting: row for row in rows}


def llama(n_ctx: int = 16384, file: FileSampling | None = None, **changes: Any) -> Applied:
    props = {"default_generation_settings": {"params": PARAMS | changes, "n_ctx": n_ctx}}
    return read_llama_server(props, None, None, file)


def differing(applied: Applied) -> set[str]:
    return {row.setting for row in compare(QWQ, applied) if row.verdict is Verdict.DIFFERS}


def test_a_server_that_does_all_of_it() -> None:
    rows = by_name(compare(QWQ, llama()))
    assert differing(llama()) == set()
    assert rows["penalty_window"].verdict is Verdict.NEAR
    assert rows["stops"].verdict is Verdict.UNTOLD
    assert rows["temperature"].applied == "0.6"


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"samplers": [*ORDER[1:4], "temperature", "penalties"]}, {"order"}),
        ({"samplers": ORDER[:4]}, {"order", "presence_penalty"}),
        ({"samplers": ["dry", *ORDER, "xtc", "typ_p", "top_n_sigma"]}, set()),
        ({"top_k": 20}, {"top_k"}),
        ({"presence_penalty": 0.0}, {"presence_penalty"}),
        ({"repeat_last_n": 64}, {"penalty_window"}),
        ({"repeat_last_n": -1}, {"penalty_window"}),
        (
            {"samplers": [*ORDER, "xtc"], "xtc_probability": 0.5},
            {"order", "xtc_probability"},
        ),
        ({"temperature": None}, set()),
        ({"temperature": "hot"}, set()),
        ({"temperature": float("nan")}, set()),
        ({"samplers": "top_k"}, set()),
    ],
)
def test_what_differs(changes: dict[str, Any], expected: set[str]) -> None:
    assert differing(llama(**changes)) == expected


def test_of_a_stage_that_the_server_adds_only_what_switches_it_on_is_listed() -> None:
    added: dict[str, Any] = {
        "repeat_penalty": 1.1,
        "samplers": [*ORDER[:4], "penalties", "dry", "xtc"],
    }
    dry: dict[str, Any] = {"dry_multiplier": 0.8, "dry_base": 1.75, "dry_allowed_length": 2}
    rows = compare(
        load_profile("qwen-llama-cpp"),
        llama(**added, **dry, presence_penalty=0.0, xtc_threshold=0.1),
    )
    off = {row.setting: row.applied for row in rows if row.wanted == "off"}
    assert off == {"repeat_penalty": "1.1", "dry_multiplier": "0.8"}


def test_what_is_not_told() -> None:
    rows = by_name(compare(QWQ, llama(temperature=None, samplers=None)))
    assert rows["temperature"].verdict is rows["order"].verdict is Verdict.UNTOLD
    assert {row.verdict for row in compare(QWQ, Applied("x"))} == {Verdict.UNTOLD}


def test_a_context_that_is_too_short() -> None:
    assert differing(llama(n_ctx=4096)) == {"context"}
    props = {"default_generation_settings": {"params": PARAMS, "n_ctx": 4096}}
    small = {"data": [{"meta": {"n_ctx_train": 4096}}]}
    assert differing(read_llama_server(props, None, small, None)) == set()


def test_where_values_come_from() -> None:
    file = FileSampling(tuple(ORDER), {"top_k": 40, "min_p": 0.01}, {"top_k": "k", "min_p": "m"})
    origins = llama(file=file).origins
    assert origins["order"] == "general.sampling.sequence in the file"
    assert origins["top_k"] == "k in the file"
    assert origins["frequency_penalty"] == "llama.cpp's default"
    assert origins["temperature"] == "a flag of the server"
    assert llama().origins["temperature"] == "a flag of the server, or its file"


def test_what_a_completion_was_run_with_counts() -> None:
    props = {"default_generation_settings": {"params": PARAMS, "n_ctx": 16384}}
    used = {"generation_settings": PARAMS | {"top_k": 7}}
    applied = read_llama_server(props, used, None, None)
    assert applied.settings["top_k"] == 7
    assert applied.notes
    reordered = {"generation_settings": PARAMS | {"samplers": ORDER[::-1]}}
    assert read_llama_server(props, reordered, None, None).notes
    # What /props is silent about is no disagreement.
    more: dict[str, Any] = {"dry_sequence_breakers": ["\n"], "grammar": "", "logit_bias": []}
    agreeing = {"generation_settings": PARAMS | more}
    assert read_llama_server(props, agreeing, None, None).notes == ()


def test_ollama_with_our_modelfile() -> None:
    applied = read_ollama(SHOW)
    assert differing(applied) == set()
    rows = by_name(compare(QWQ, applied))
    assert rows["order"].origin == "general.sampling.sequence in the file"
    assert rows["top_p"].origin == "the Modelfile"
    assert rows["top_k"].origin == "Ollama's default"
    assert rows["stops"].verdict is Verdict.SAME


def test_ollama_without_one() -> None:
    applied = read_ollama({"parameters": "repeat_last_n -1\nnonsense\nmin_p nan", "model_info": 7})
    assert differing(applied) == {
        "order", "temperature", "top_p", "min_p", "presence_penalty", "penalty_window", "stops",
    }  # fmt: skip
    assert by_name(compare(QWQ, applied))["order"].origin.startswith("llama.cpp's default")
    assert [line for line in applied.notes if "num_ctx" in line]
    assert [line for line in applied.notes if "negative" in line]


def test_a_number_whose_stage_is_not_applied_is_not_applied() -> None:
    """With `--samplers penalties;top_k;temperature`, a top_p of 0.95 does nothing."""
    rows = by_name(compare(QWQ, llama(samplers=["top_k", "temperature"])))
    for name in ("top_p", "min_p", "presence_penalty"):
        assert rows[name].verdict is Verdict.DIFFERS
        assert rows[name].applied.endswith("in no stage")
    (told,) = advice(tuple(rows.values()), "llama-server")
    assert told.startswith("order: "), "the numbers are right"
    for name in ("temperature", "temperature_range", "repeat_penalty"):
        assert rows[name].verdict is Verdict.SAME


def test_what_a_file_can_carry_is_told_how() -> None:
    rows = compare(QWQ, llama(top_k=1, samplers=ORDER[::-1]))
    (told,) = advice(rows, "llama-server", "my own.toml")
    assert told.startswith("order, top_k: `qwq-gguf set FILE --profile 'my own.toml'` puts")
    assert "no flag of the server" in told
    (told,) = advice(rows, "llama-server")
    assert "qwq-gguf set" not in told
    (told,) = advice(rows, "Ollama", "qwq")
    assert told.startswith("order: `qwq-gguf set FILE --profile qwq` puts")
    assert "flag" not in told


def test_where_the_file_is_not_known_no_number_is_said_to_be_a_default() -> None:
    assert llama().origins["top_k"] == "as by default"
    assert llama(file=FileSampling()).origins["top_k"] == "llama.cpp's default"


def test_advice_is_for_what_no_file_can_carry() -> None:
    rows = compare(QWQ, llama(presence_penalty=0.0))
    assert advice(rows, "llama-server") == (
        "no GGUF can carry presence_penalty: start the server with --presence-penalty 1, "
        "or send it with requests",
    )
    assert advice(compare(QWQ, llama()), "llama-server") == ()
    unsloth = compare(load_profile("unsloth"), llama(dry_base=1.5))
    *_, told = advice(unsloth, "llama-server")
    assert told.startswith("no GGUF can carry dry_multiplier, dry_base: ")
    assert "`qwq-gguf export llama-server`" in told
    # What the server adds of its own is nothing for a file to carry.
    added = compare(load_profile("qwen-llama-cpp"), llama(grammar='root ::= "a"'))
    assert {row.setting for row in added if row.wanted == "off"} >= {"presence_penalty", "grammar"}
    advised = " ".join(advice(added, "llama-server"))
    assert "presence_penalty" not in advised
    assert "grammar" not in advised


def test_ollama_has_no_flags_to_be_started_with() -> None:
    bare = read_ollama({"parameters": "top_k 40", "model_info": SHOW["model_info"]})
    (told,) = advice(compare(QWQ, bare), bare.server)
    assert told.startswith("no GGUF can carry presence_penalty: the Modelfile of `qwq-gguf export")
    assert "--presence" not in told


def test_grammars_and_biases_that_nobody_wants_or_applies_are_no_rows() -> None:
    rows = by_name(compare(QWQ, llama(grammar="", logit_bias=[])))
    assert not {"grammar", "grammar_root", "grammar_scope", "logit_bias"} & rows.keys()


@pytest.mark.parametrize(
    "told, verdict",
    [
        ('root ::= "a"\n', Verdict.SAME),
        ('root ::= "b"', Verdict.DIFFERS),
        ("", Verdict.DIFFERS),
        (None, Verdict.UNTOLD),
    ],
)
def test_a_grammar_is_compared_as_a_text(told: str | None, verdict: Verdict) -> None:
    wanted = QWQ.with_overrides(grammar='root ::= "a"')
    assert by_name(compare(wanted, llama(grammar=told)))["grammar"].verdict is verdict
    # However an exporter may have spelt it.
    for spelling in grammar_spellings(wanted):
        assert by_name(compare(wanted, llama(grammar=spelling)))["grammar"].verdict is Verdict.SAME


@pytest.mark.parametrize(
    "told, verdict",
    [
        ([{"token": 7, "bias": None}, {"token": 5, "bias": 1.5}], Verdict.SAME),
        ([{"token": 5, "bias": 1.5}], Verdict.DIFFERS),
        ([], Verdict.DIFFERS),
        (["nonsense", {"token": "5"}], Verdict.DIFFERS),
        ("nonsense", Verdict.UNTOLD),
    ],
)
def test_biases_are_compared_token_by_token(told: Any, verdict: Verdict) -> None:
    wanted = QWQ.with_overrides(logit_bias=((5, 1.5), (7, -math.inf)))
    assert by_name(compare(wanted, llama(logit_bias=told)))["logit_bias"].verdict is verdict


def test_a_token_named_by_its_text_cannot_be_compared() -> None:
    wanted = QWQ.with_overrides(logit_bias=(("Wait", 1.5),))
    row = by_name(compare(wanted, llama(logit_bias=[{"token": 5, "bias": 1.5}])))["logit_bias"]
    assert (row.verdict, row.wanted, row.applied) == (Verdict.UNTOLD, "'Wait'=1.5", "5=1.5")


def test_what_a_server_adds_of_its_own_differs() -> None:
    applied = llama(grammar='root ::= "a"', logit_bias=[{"token": 5, "bias": 1.5}])
    assert {"grammar", "logit_bias"} <= differing(applied)


def test_of_what_nobody_decided_nothing_is_asked() -> None:
    own = resolve({"general.sampling.temp": f32("general.sampling.temp", 0.7)}).profile
    rows = by_name(compare(own, llama(temperature=0.7, top_k=3)))
    assert rows.keys() == {"temperature", "context"}
    assert rows["temperature"].verdict is Verdict.SAME
    told = by_name(compare(own, llama(temperature=0.6)))
    assert told["temperature"].verdict is Verdict.DIFFERS
