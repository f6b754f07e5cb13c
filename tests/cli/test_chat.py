"""`qwq-gguf chat` with real models: in a pipe, as JSON, and on a real terminal."""

from __future__ import annotations

import itertools
import json
import signal
import socket
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.profiles import load_profile
from support.chat_templates import STRIPS
from support.demo import make_demo
from support.terminal import PROGRAM, open_terminal
from support.tiny_gguf import TEMPLATE, byte_level, vocab, write_bigram, write_random

runner = CliRunner()
# A model that goes in circles is left to do so.
FOR_EVER = ("--govern", "loops=false", "--govern", "reserve=0")


def chat(*arguments: object, typed: str | None = None) -> Result:
    return runner.invoke(app, ["chat", *map(str, arguments), "-t", "1"], input=typed)


def test_one_question(talker: Path) -> None:
    done = chat(talker, "-p", "What is 7*43?")
    assert done.exit_code == 0, done.output
    assert done.stdout == "**It** is 301.\n"
    thought, stats = done.stderr.splitlines()
    assert thought == "Let me see."
    assert stats.startswith("thought 2 tokens, answered 3 · ")
    assert stats.endswith("context 8 % of 512")


def test_a_question_on_stdin(talker: Path) -> None:
    assert chat(talker, "-p", "-", typed="What is\n7*43?\n").stdout == "**It** is 301.\n"


def test_bytes_that_are_no_text_are_no_fault(talker: Path) -> None:
    for arguments, typed in (([b"-p", b"\xff\xfe"], b""), ([b"-p", b"-"], b"\xff\xfeHi")):
        done = subprocess.run(
            [*PROGRAM, "chat", str(talker), "-t", "1", *arguments],
            input=typed,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, b"**It** is 301.\n"), done.stderr


def test_a_reader_that_leaves_in_mid_reply_ends_the_program(endless: Path) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "chat", str(endless), "-p", "Hi", "-t", "1", "-c", "60000", *FOR_EVER],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert process.stderr.read(6) == b"hm hm "
    process.stderr.close()
    assert process.wait(60) == 141


def test_json(talker: Path) -> None:
    done = chat(talker, "-p", "What is 7*43?", "--json", "--seed", 5)
    assert done.exit_code == 0
    assert done.stderr == ""
    reply = json.loads(done.stdout)
    speed = reply.pop("tokens_per_second")
    assert speed > 0
    thoughts = reply.pop("thoughts")
    assert thoughts["wanted"] is None
    assert (thoughts["template"]["thinks"], thoughts["template"]["unset"]) == (True, "opened")
    assert reply == {
        "schema": "qwq-gguf/chat/1",
        "thinking": "Let me see.",
        "answer": "**It** is 301.",
        "thinking_tokens": 2,
        "answer_tokens": 3,
        "prompt_tokens": reply["prompt_tokens"],
        "finish_reason": "stop",
        "thought_ended": "closed",
        "seed": 5,
        "speculation": None,
        "tool_calls": [],
        "profile": "qwq",
    }


def test_a_thought_that_no_tag_opened_is_no_answer(tmp_path: Path) -> None:
    said = ["\n", "Two and three.", "</think>", "\n\n", "It is 5."]
    stored = [text if text == "</think>" else byte_level(text.encode()) for text in said]
    follows = dict(itertools.pairwise(stored))
    free = {"tokenizer.chat_template": TEMPLATE.replace("<think>\\n", "")}
    words = vocab(["Two and three.", "It is 5.", "\n\n"])
    path = write_bigram(tmp_path / "free.gguf", follows, words=words, keys=free)
    profile = tmp_path / "free.toml"
    shipped = files("qwq_gguf.profiles").joinpath("qwq.toml").read_text("utf-8")
    leaving = shipped.replace("opens_thought = true", "opens_thought = false")
    assert leaving != shipped
    profile.write_text(leaving, "utf-8")
    done = chat(path, "-p", "2+3?", "--profile", profile)
    assert done.exit_code == 0, done.output
    assert done.stdout == "It is 5.\n"
    assert done.stderr.splitlines()[0] == "Two and three."
    assert done.stderr.splitlines()[1].startswith("thought 2 tokens, answered 2 · ")
    reply = json.loads(chat(path, "-p", "2+3?", "--profile", profile, "--json").stdout)
    assert (reply["thinking"], reply["answer"]) == ("Two and three.", "It is 5.")
    assert (reply["thinking_tokens"], reply["answer_tokens"]) == (2, 2)
    with open_terminal(
        "chat", str(path), "-t", "1", "-p", "2+3?", "--profile", str(profile)
    ) as terminal:
        assert terminal.wait_for_end() == 0
    assert terminal.text.rindex("Two and three.") < terminal.text.rindex("It is 5.")
    assert "</think>" not in terminal.text


def test_a_limit_is_said(talker: Path) -> None:
    done = chat(talker, "-p", "Hi", "-n", 1, "--govern", "answers=false", "--govern", "reserve=0")
    assert done.exit_code == 3
    assert done.stdout == ""
    assert "Stopped in the middle of the thought: the limit of tokens" in done.stderr


def test_a_full_context_is_said(endless: Path) -> None:
    done = chat(endless, "-p", "Hi", "-c", 256, *FOR_EVER)
    assert done.exit_code == 3
    assert "the context is full" in done.stderr
    as_json = chat(endless, "-p", "Hi", "-c", 256, "--json", *FOR_EVER)
    reply = json.loads(as_json.stdout)
    assert (reply["finish_reason"], reply["thought_ended"]) == ("context", "context")
    assert as_json.exit_code == 3


def test_a_part_of_an_answer_is_one(talker: Path) -> None:
    done = chat(talker, "-p", "Hi", "-n", 4, "--govern", "answers=false", "--govern", "reserve=0")
    assert done.exit_code == 0
    assert done.stdout == "**It** is\n"
    assert "the limit of tokens" in done.stderr


def test_a_model_that_thinks_in_circles_answers(endless: Path) -> None:
    reply = json.loads(chat(endless, "-p", "Hi", "--json").stdout)
    assert reply["thought_ended"] == "loop"
    assert reply["thinking"].endswith(load_profile("qwq").governor.message or "?")
    assert reply["answer"]
    done = chat(endless, "-p", "Hi")
    assert done.exit_code == 0
    assert "the thought is ended: it went in circles" in done.stderr


def test_a_small_context_keeps_room_for_an_answer(endless: Path) -> None:
    flags = ("-c", 256, "--json", "--govern", "loops=false")
    reply = json.loads(chat(endless, "-p", "Hi", *flags).stdout)
    assert reply["thought_ended"] == "reserve"
    assert reply["answer"]


def test_a_governor_is_no_free_text(talker: Path) -> None:
    done = chat(talker, "-p", "Hi", "--govern", "secconds=5")
    assert done.exit_code == 1
    assert "unknown key governor.secconds" in done.stderr
    assert "did you mean seconds?" in done.stderr
    both = chat(talker, "-p", "Hi", "--govern", "budget=5", "--thought-budget", 4)
    assert both.exit_code == 2


def test_a_turn_that_says_nothing_is_no_answer(tmp_path: Path) -> None:
    follows = {
        byte_level(b"\n"): byte_level(b"Hm."),
        byte_level(b"Hm."): "</think>",
        "</think>": "<|im_end|>",
    }
    path = write_bigram(tmp_path / "mute.gguf", follows, words=vocab(["Hm."]))
    silent = ("--govern", "answers=false")
    for arguments in (["-p", "Hi"], ["-p", "Hi", "--json"]):
        assert chat(path, *arguments, *silent).exit_code == 3
    assert "without an answer" in chat(path, "-p", "Hi", *silent).stderr
    assert json.loads(chat(path, "-p", "Hi", "-n", 40, "--json").stdout)["answer"]


def test_a_question_without_a_flag(talker: Path) -> None:
    assert chat(talker, "What is 7*43?").stdout == "**It** is 301.\n"
    assert json.loads(chat(talker, "Hi", "--json").stdout)["answer"] == "**It** is 301."
    both = chat(talker, "Hi", "-p", "Hi")
    assert both.exit_code == 2
    assert "one of them" in both.stderr


def run(*arguments: str, stdin: object, **more: object) -> subprocess.CompletedProcess[bytes]:
    command = [*PROGRAM, "chat", *arguments, "-t", "1", "--json"]
    return subprocess.run(command, stdin=stdin, capture_output=True, check=False, **more)  # type: ignore[call-overload,no-any-return]


def prompt_tokens(done: subprocess.CompletedProcess[bytes]) -> int:
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return int(json.loads(done.stdout)["prompt_tokens"])


def test_a_text_piped_in_beside_a_prompt_is_asked_with_it(talker: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("some text\n")
    joined = prompt_tokens(run(str(talker), "-p", "Say:\n\nsome text", stdin=subprocess.DEVNULL))
    alone = prompt_tokens(run(str(talker), "-p", "Say:", stdin=subprocess.DEVNULL))
    assert joined > alone
    with (tmp_path / "text").open("rb") as file:
        assert prompt_tokens(run(str(talker), "-p", "Say:", stdin=file)) == joined
    command = [*PROGRAM, "chat", str(talker), "Say:", "-t", "1", "--json"]
    piped = subprocess.run(command, input=b"some text\n", capture_output=True, check=False)
    assert prompt_tokens(piped) == joined


def test_a_stdin_that_never_says_anything_is_not_waited_for(talker: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        run(str(talker), "-p", "Hi", stdin=theirs, timeout=60)


def test_a_pipe_that_says_nothing_is_waited_for_and_that_is_said(talker: Path) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "chat", str(talker), "-p", "Hi", "-t", "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "waiting for the text on stdin" in process.stderr.readline()
    out, _ = process.communicate("", timeout=60)
    assert (process.returncode, out) == (0, "**It** is 301.\n")


def test_a_prompt_that_does_not_fit_is_refused(talker: Path) -> None:
    done = chat(talker, "-p", "x" * 600, "-c", 256)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "does not fit" in done.stderr


def test_lines_from_a_pipe_are_a_conversation(talker: Path) -> None:
    typed = "Hi\n\n/help\n/nonsense x\n/usr/bin\n//usr/bin\n" + "x" * 600
    done = chat(talker, "-c", 256, typed=f"{typed}\n /usr/bin is what?\n/bye\nnever\n")
    assert done.exit_code == 0, done.output
    assert done.stdout == "**It** is 301.\n" * 3
    assert "/clear" in done.stderr
    assert "There is no /nonsense." in done.stderr
    assert "There is no /usr/bin." in done.stderr
    assert "does not fit" in done.stderr, "and the conversation went on after that"
    assert "/clear, which forgets" in done.stderr


def test_what_clear_cannot_help_is_not_offered(talker: Path) -> None:
    done = chat(talker, "-c", 256, typed="x" * 600 + "\n")
    assert "does not fit" in done.stderr
    assert "/clear" not in done.stderr.partition("does not fit")[2]


def test_the_end_of_the_input_leaves(talker: Path) -> None:
    assert chat(talker, typed="").exit_code == 0


def test_short_options_of_several_letters(talker: Path) -> None:
    done = chat(talker, "-sys", "Be brief.", "-ngl", 0, "-n", 50, "-c", 256, "-p", "Hi", "--json")
    assert done.exit_code == 0, done.output
    plain = chat(talker, "-p", "Hi", "--json")
    longer, shorter = (json.loads(x.stdout)["prompt_tokens"] for x in (done, plain))
    assert longer > shorter, "the system prompt is in the prompt"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--json"], 2, "--json goes with --prompt"),
        (["-p", " "], 2, "the prompt is empty"),
        (["-p", "Hi", "--top-p", "3"], 2, "top_p"),
        (["-p", "Hi", "--profile", "unsloth", "--presence-penalty", "1"], 2, "would do nothing"),
        (["-p", "Hi", "--repeat-last-n", "some"], 2, "--repeat-last-n"),
        (["-p", "Hi", "--seed", "-1"], 2, "--seed"),
        (["-p", "Hi", "--profile", "qvq"], 1, "did you mean qwq?"),
        (["-p", "Hi", "--tools", "abacus"], 1, "there is no such tool"),
        (["-p", "Hi", "--tools", "calculator"], 1, "no place for tools"),
        (["-p", "Hi", "--tools", "none.py:f"], 2, "none.py: there is no such file of tools"),
        (["-p", "Hi", "--profile", "qwen-reference", "--temp", "x"], 2, "--temp"),
    ],
)
def test_refusals(talker: Path, arguments: list[str], status: int, words: str) -> None:
    refused = chat(talker, *arguments)
    assert refused.exit_code == status, refused.output
    assert words in refused.stderr
    assert refused.stdout == "" or json.loads(refused.stdout)["error"]["type"] == "UsageError"
    assert (refused.stdout != "") == ("--json" in arguments)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    missing = chat(tmp_path / "none.gguf", "-p", "Hi")
    assert missing.exit_code == 1
    assert "none.gguf: " in missing.stderr
    assert "no such file" in missing.stderr.lower()
    (tmp_path / "zip.gguf").write_bytes(b"PK\x03\x04" * 100)
    refused = chat(tmp_path / "zip.gguf", "-p", "Hi")
    assert refused.exit_code == 1
    assert "not a GGUF file" in refused.stderr


def test_a_profiles_context_is_the_default(endless: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'schema = 1\nname = "mine"\ndescription = "x"\n'
        '[chain]\norder = ["greedy"]\nsource = "x"\n'
        '[context]\ntokens = 300\nsource = "x"\n'
    )
    assert "of 300" in chat(endless, "-p", "Hi", "--profile", mine, "-n", 2).stderr
    assert "of 16,384" in chat(endless, "-p", "Hi", "-n", 2).stderr
    assert "of 280" in chat(endless, "-p", "Hi", "--profile", mine, "-n", 2, "-c", 280).stderr


def test_the_chain_alone(talker: Path) -> None:
    shown = chat(talker, "--show-chain", "--top-k", "7", "--temp", "0.25")
    assert shown.exit_code == 0
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert [row[1] for row in rows if row and row[0].isdigit()] == [
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "penalties",
        "dist",
    ]
    assert ["2", "top_k", "top_k", "7", "a", "flag"] in rows
    assert ["1", "temperature", "temperature", "0.25", "a", "flag"] in rows
    assert ["3", "top_p", "top_p", "0.95", "profile", "qwq"] in rows
    assert "profile qwq: its chat template says that it thinks\n" in shown.stderr
    assert "thoughts: <think> ... </think>, opened by the template" in shown.stderr


SAMPLING = {
    "general.sampling.sequence": "top_k;temperature;nonsense",
    "general.sampling.temp": 0.75,
    "general.sampling.top_p": 0.5,
}


def test_the_chain_says_what_the_file_decided(tmp_path: Path) -> None:
    file = write_random(tmp_path / "x.gguf", keys=SAMPLING)
    shown = chat(file, "--show-chain", "--top-k", "7")
    rows = [" ".join(line.split()) for line in shown.stdout.splitlines()[2:]]
    assert rows == [
        "1 top_k top_k 7 a flag",
        "2 temperature temperature 0.75 general.sampling.temp in the file",
        "temperature_range 0 profile qwq",
        "temperature_exponent 1 profile qwq",
        "3 dist",
    ]
    assert "order: general.sampling.sequence in the file\n" in shown.stderr
    assert "names a stage that is not known: nonsense" in shown.stderr
    assert "top_p does nothing: it is set, but the order has no such stage" in shown.stderr


@pytest.mark.parametrize(
    ("keys", "arguments", "profile", "reason"),
    [
        ({}, [], "qwq", "its chat template says that it thinks"),
        (
            {"tokenizer.chat_template": STRIPS},
            [],
            "file",
            "the file gives no numbers and gets none of ours",
        ),
        ({"general.name": "R1 Distill"}, [], "r1-distill", "general.name is R1 Distill"),
        ({"general.name": "R1 Distill"}, ["--profile", "auto"], "r1-distill", "general.name is"),
        ({"general.name": "QwQ", **SAMPLING}, [], "qwq", "general.name is QwQ"),
        ({"qwq_gguf.profile": "unsloth", **SAMPLING}, [], "unsloth", "the file's qwq_gguf.profile"),
        ({"qwq_gguf.profile": "unsloth"}, [], "unsloth", "the file's qwq_gguf.profile"),
        ({"qwq_gguf.profile": "unsloth"}, ["--profile", "qwq"], "qwq", "asked for"),
    ],
)
def test_who_chooses_the_profile(
    tmp_path: Path, keys: dict[str, Any], arguments: list[str], profile: str, reason: str
) -> None:
    file = write_random(tmp_path / "x.gguf", keys=keys)
    shown = chat(file, "--show-chain", *arguments)
    assert shown.exit_code == 0, shown.output
    assert f"profile {profile}: {reason}" in shown.stderr
    if profile == "file":
        assert "llama.cpp's default" in shown.stdout
        assert "profile" not in shown.stdout
        return
    order = shown.stdout.splitlines()[2].split()[1]
    from_file = SAMPLING.keys() <= keys.keys()
    assert order == ("top_k" if from_file else load_profile(profile).chain.order[0])


def test_a_key_that_another_tool_edited_counts_and_is_said(tmp_path: Path) -> None:
    keys = {"qwq_gguf.profile": "qwq", "general.sampling.temp": 0.9}
    file = write_random(tmp_path / "x.gguf", keys=keys)
    said = "note: general.sampling.temp is 0.9 in the file and 0.6 in profile qwq"
    shown = chat(file, "--show-chain")
    rows = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert "1 temperature temperature 0.9 general.sampling.temp in the file" in rows
    assert said in shown.stderr
    for command in (["modelfile"], ["export", "ollama", "-o", str(tmp_path / "out")]):
        made = runner.invoke(app, [*command, str(file)])
        assert made.exit_code == 0, made.output
        assert said in made.stderr
        written = made.stdout or (tmp_path / "out" / "Modelfile").read_text()
        assert "PARAMETER temperature 0.9\n" in written
    inspected = runner.invoke(app, ["inspect", str(file)])
    assert "general.sampling.temp is 0.9 in the file and 0.6 in profile qwq" in inspected.stdout
    told = json.loads(runner.invoke(app, ["inspect", str(file), "--json"]).stdout)["profile"]
    assert told == {
        "name": "qwq",
        "edited": [{"key": "general.sampling.temp", "value": 0.9, "profile": 0.6}],
    }
    changed = runner.invoke(app, ["set", str(file), "--kv", "general.name=str:x", "--dry-run"])
    assert said in changed.stderr
    again = runner.invoke(app, ["set", str(file), "--profile", "qwq", "--dry-run"])
    assert "was edited" not in again.stderr


def test_what_does_nothing_is_said_before_a_reply(talker: Path) -> None:
    done = chat(talker, "-p", "Hi", "--profile", "unsloth", "--json")
    assert "note: repeat_penalty does nothing: it is set, but" in done.stderr
    assert json.loads(done.stdout)["profile"] == "unsloth"


def test_a_fault_in_a_profile_is_not_a_flags(talker: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'schema = 1\nname = "mine"\ndescription = "x"\n'
        '[chain]\norder = ["top_k", "greedy"]\nsource = "x"\n'
        '[chain.top_k]\nvalue = -1\nsource = "x"\n'
    )
    refused = chat(talker, "-p", "Hi", "--profile", mine)
    assert refused.exit_code == 1
    assert "mine.toml: top_k: k is out of range" in refused.stderr


def test_the_chain_beside_a_reply_stays_out_of_the_data(talker: Path) -> None:
    shown = chat(talker, "--show-chain", "-p", "Hi")
    assert shown.stdout == "**It** is 301.\n"
    assert "top_k" in shown.stderr


def test_ctrl_c_stops_one_question_with_its_cost(endless: Path) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "chat", str(endless), "-p", "Hi", "-t", "1", "-c", "60000", *FOR_EVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.read(30).startswith("hm hm hm")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "thought " in err
    assert "Interrupted in the middle of the thought." in err
    assert "Traceback" not in err


def test_a_conversation_on_a_terminal(talker: Path) -> None:
    with open_terminal("chat", str(talker), "-t", "1") as terminal:
        terminal.wait_for(">>> ")
        terminal.type("What is 7*43?\r")
        terminal.wait_for("Let me see.")
        assert "\x1b[2m" in terminal.seen, "the thought is dimmed"
        terminal.wait_for("It is 301.")
        assert "**It**" not in terminal.text, "the answer is rendered"
        terminal.wait_for("thought 2 tokens")
        terminal.wait_for(">>> ")
        terminal.type("/bye\r")
        assert terminal.wait_for_end() == 0


def test_ctrl_c_answers_and_then_stops_and_ctrl_d_leaves(tmp_path: Path) -> None:
    line, thought, answer = (byte_level(text) for text in (b"\n", b"hm ", b"so "))
    follows = {line: thought, thought: thought, "</think>": answer, answer: answer}
    known = vocab(["hm ", "so "])
    path = write_bigram(tmp_path / "rambler.gguf", follows, words=known, context=100_000)
    flags = ("-t", "1", "-c", "60000", "--thought-budget", "-1", "--govern", "loops=false")
    with open_terminal("chat", str(path), *flags) as terminal:
        terminal.wait_for(">>> ")
        terminal.type("Hi\r")
        terminal.wait_for("hm hm hm")
        terminal.type("\x03")
        terminal.wait_for("so so so so")
        terminal.type("\x03")
        terminal.wait_for("Interrupted.")
        terminal.wait_for(">>> ")
        terminal.type("half a line\x03")
        terminal.wait_for("(Ctrl-D or /bye leaves)")
        terminal.wait_for(">>> ")
        terminal.type("\x04")
        assert terminal.wait_for_end() == 0
        assert "Traceback" not in terminal.seen


def test_what_was_typed_is_remembered_for_its_owner_alone(talker: Path, tmp_path: Path) -> None:
    with open_terminal(
        "chat", str(talker), "-t", "1", environment={"QWQ_GGUF_CACHE_DIR": str(tmp_path)}
    ) as terminal:
        terminal.wait_for(">>> ")
        terminal.type("a secret\r")
        terminal.wait_for("301.")
        terminal.wait_for(">>> ")
        terminal.type("\x04")
        assert terminal.wait_for_end() == 0
    history = tmp_path / "chat-history"
    assert "a secret" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def test_no_color_means_no_colours(talker: Path) -> None:
    with open_terminal(
        "chat", str(talker), "-t", "1", "-p", "Hi", environment={"NO_COLOR": "1"}
    ) as terminal:
        assert terminal.wait_for_end() == 0
        assert "\x1b[3" not in terminal.seen.replace("\x1b[?25", "")
        assert "Let me see." in terminal.text


def test_a_thought_ends_at_the_budget_that_is_asked_for(tmp_path: Path) -> None:
    demo = make_demo(tmp_path)
    asked = ("-p", "What is 743*29?", "--seed", "1", "--json")
    free = json.loads(chat(demo, *asked).stdout)
    done = chat(demo, *asked, "--thought-budget", "9")
    bound = json.loads(done.stdout)
    words = load_profile("qwq").governor.message
    assert bound["thinking"].endswith(words)
    assert free["thinking"].startswith(bound["thinking"].removesuffix(words).rstrip())
    assert words not in free["thinking"]
    assert bound["answer"]
    assert "its budget of 9 is used up" in done.stderr
    unbound = json.loads(chat(demo, *asked, "--thought-budget", "-1").stdout)
    assert unbound["thinking"] == free["thinking"]
    thoughtless = json.loads(chat(demo, *asked, "--thought-budget", "0").stdout)
    assert thoughtless["thinking"] == ""
    assert thoughtless["answer"]


def test_how_the_context_is_kept(tmp_path: Path) -> None:
    path = write_random(tmp_path / "wide.gguf", width=128)
    free = ("--govern", "answers=false", "--govern", "reserve=0")
    asked = ("-p", "Hi", "-n", "8", "--seed", "1", "-c", "900", "--json", *free)
    flags = ("-ctk", "q8_0", "-ctv", "Q4_0", "-fa", "on", "--yarn", "2")
    kept, usual = (json.loads(chat(path, *asked, *more).stdout) for more in (flags, ()))
    assert kept["thinking_tokens"] == usual["thinking_tokens"] == 8
    assert kept["thinking"] != usual["thinking"]
    assert "larger than the 512" in chat(path, *asked).stderr
    assert "larger than" not in chat(path, *asked, "--yarn", "2").stderr


@pytest.mark.parametrize(
    "flags, words",
    [
        (("-ctk", "q9_0"), "did you mean"),
        (("-ctv", "iq2_xxs"), "q4_0"),
        (("-ctv", "q8_0", "-fa", "off"), "goes with --flash-attn on or auto only"),
        (("-fa", "maybe"), "on, off or auto"),
        (("--yarn", "0.5"), "the YaRN factor makes no sense"),
        (("--yarn", "nan"), "the YaRN factor makes no sense"),
    ],
)
def test_a_context_that_cannot_be_is_refused(
    talker: Path, flags: tuple[str, ...], words: str
) -> None:
    done = chat(talker, "-p", "Hi", *flags)
    assert done.exit_code == (1 if "--yarn" in flags else 2), done.stderr
    assert words in " ".join(done.stderr.split())


def test_guessing_ahead_gives_the_same_reply_and_says_what_it_brought(endless: Path) -> None:
    asked = (endless, "-p", "Hi", "-t", "1", "-c", "500", "-n", "100", "--seed", "1")
    usual = json.loads(chat(*asked, "--json").stdout)
    for source in ("text", str(endless)):
        done = chat(*asked, "--speculate", source, "--draft-tokens", "5", "--json")
        ahead = json.loads(done.stdout)
        told = ahead.pop("speculation")
        assert told["drafted"] >= told["accepted"]
        assert ahead["answer"] == usual["answer"]
        assert ahead["thinking"] == usual["thinking"]
        if source == "text":
            assert told["accepted"] > 50
            assert 3 < told["tokens_per_step"] <= 6
    said = chat(*asked, "--speculate", "text", "--verbose").stderr
    assert "of them right" in said
    assert "tokens a step" in said
    assert "of them right" not in chat(*asked, "--verbose").stderr


@pytest.mark.parametrize(
    "flags, words, status",
    [
        (("--draft-tokens", "5"), "--draft-tokens goes with --speculate", 2),
        (("--speculate", "text", "--draft-tokens", "65"), "less than or equal to 64", 2),
        (("--speculate", "nowhere.gguf"), "No such file", 1),
    ],
)
def test_guesses_that_cannot_be_are_refused(
    talker: Path, flags: tuple[str, ...], words: str, status: int
) -> None:
    done = chat(talker, "-p", "Hi", *flags)
    assert done.exit_code == status, done.stderr
    assert words in " ".join(done.stderr.split())


def test_a_draft_model_with_other_tokens_is_refused(talker: Path, tmp_path: Path) -> None:
    other = write_random(tmp_path / "other.gguf")
    done = chat(talker, "-p", "Hi", "--speculate", other)
    assert done.exit_code == 1
    said = " ".join(done.stderr.split())
    assert "other tokens" in said
    assert "other.gguf" in said
    assert "Traceback" not in said
