"""`qwq-gguf chat`: talk with a model and watch it think."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.cli.flags import chain as chain_flags
from qwq_gguf.cli.flags import context as context_flags
from qwq_gguf.cli.flags import speculation as speculation_flags
from qwq_gguf.cli.flags import thoughts as thought_flags
from qwq_gguf.cli.flags import tools as tool_flags
from qwq_gguf.cli.flags.common import AnswerOnly, Detailed
from qwq_gguf.cli.flags.groups import takes_groups
from qwq_gguf.cli.flags.sources import GgufSource, Revision, Token
from qwq_gguf.cli.terminal.errors import INTERRUPTED, NO_ANSWER
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit_json, note
from qwq_gguf.cli.terminal.piped import piped_text, read_all, with_piped
from qwq_gguf.cli.terminal.telling import Bars, Terminal

__all__ = ["app"]

app = command_app()


@app.command("chat", cls=HouseCommand)
@takes_groups
def chat(
    source: GgufSource,
    *,
    question: Annotated[
        str | None,
        typer.Argument(metavar="QUESTION", help="The same as --prompt.", show_default=False),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            "-p",
            "--prompt",
            metavar="TEXT",
            help="Ask this, print the reply, leave. -: stdin; a text piped in follows it.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The reply as one JSON object (with --prompt).")
    ] = False,
    system: Annotated[
        str | None, typer.Option("-sys", "--system", metavar="TEXT", help="A system prompt.")
    ] = None,
    tools: tool_flags.Tools = None,
    placed: context_flags.Placed,
    kept: context_flags.Kept,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--max-tokens",
            metavar="N",
            min=1,
            help="Longest reply, thought included.  [default: the context]",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            max=2**32 - 2,
            help="Make the same reply again.  [default: a new one]",
        ),
    ] = None,
    guessing: speculation_flags.Guessing,
    profile_name: chain_flags.ProfileName = None,
    hide_thinking: Annotated[
        bool, typer.Option("--hide-thinking", help="Show how far a thought is, not its text.")
    ] = False,
    steering: thought_flags.Steering,
    show_chain: Annotated[
        bool,
        typer.Option(
            "--show-chain",
            help="Print the sampler chain and who decided it; without -p, only that.",
        ),
    ] = False,
    sampling: chain_flags.Constrained,
    session: Annotated[
        Path | None,
        typer.Option(
            "--session",
            metavar="FILE",
            help="Go on with the chat that this file keeps, and keep it there, with what was "
            "computed (FILE.state).",
        ),
    ] = None,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Draw nothing again and colour nothing, for screen readers."),
    ] = False,
    quiet: AnswerOnly = False,
    verbose: Detailed = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Talk with a model and watch it think.

    The thought streams dimmed, then the answer. On a terminal Ctrl-C in a thought makes the
    model answer, another one stops the reply, and Ctrl-D leaves; in a pipe the answer goes to
    stdout and all else to stderr. MODEL may be `demo`, the tiny one that comes along.

    Settings come from the first that says something: a flag, --profile, keys of the file that
    were edited since it was given a profile, that profile, its other general.sampling.* keys,
    the profile that fits its metadata.

    Beside a prompt, what a pipe or a file on stdin holds is asked with it. In a chat, what
    begins with a slash is a command (/help) and never sent.

    Exit status: 0 with an answer, 3 without one (a limit, a full context, nothing said), 130
    interrupted, 1 an error, 2 wrong usage.

    \b
    Examples:
      qwq-gguf chat demo
      qwq-gguf chat QwQ-Demo-Q4_K_M.gguf -p "What is 7*43?"
      qwq-gguf chat QwQ-Demo-Q4_K_M.gguf -p "What is 3394*35979?" --tools calculator
      qwq-gguf chat QwQ-32B-Q4_K_M.gguf --tools prices.py:price,book --tools date
      echo "What is 12+34?" | qwq-gguf chat QwQ-Demo-Q4_K_M.gguf -p - --json
      cat notes.txt | qwq-gguf chat QwQ-32B-Q4_K_M.gguf -p "Summarize this:"
      qwq-gguf chat QwQ-Demo-Q4_K_M.gguf "7*43" --grammar 'root ::= "\\\\boxed{" [0-9]+ "}"'
      qwq-gguf chat QwQ-Demo-Q4_K_M.gguf --logit-bias " Wait=-2"
      qwq-gguf chat Qwen3-4B-Q4_K_M.gguf --no-think -p "What is 7*43?"
      qwq-gguf chat QwQ-32B-Q4_K_M.gguf --session work.json
      qwq-gguf chat bartowski/Qwen_QwQ-32B-GGUF:IQ4_XS
      qwq-gguf chat QwQ-32B-Q4_K_M.gguf -ngl auto -c auto --kv-type auto
      qwq-gguf chat QwQ-32B-Q4_K_M.gguf -ngl 40 -c 32768 --show-chain --top-k 20
    """
    if question is not None:
        if steering.thinking is not None and question.lower() in ("on", "off", "true", "false"):
            raise typer.BadParameter("--think takes no value: it is --think or --no-think")
        if prompt is not None:
            raise typer.BadParameter("QUESTION and --prompt: one of them")
        prompt = question
    if as_json and prompt is None and not show_chain:
        raise typer.BadParameter("--json goes with --prompt or --show-chain")
    if quiet and verbose:
        raise typer.BadParameter("--quiet and --verbose contradict each other")
    if plain:
        os.environ["TERM"] = "dumb"  # which everything that draws asks
    from qwq_gguf.jobs.demo import gguf_named
    from qwq_gguf.jobs.fetching import bring_gguf, gguf_header
    from qwq_gguf.jobs.wishes import settle

    wish = placed.wish(kept)
    speculation = guessing.wish()
    wishes = thought_flags.wishes_of(profile_name, sampling, steering)
    report = Bars() if quiet else Terminal()
    named = gguf_named(source, Bars())
    header = gguf_header(named, revision, token, report)
    with header as (located, gguf), chain_flags.flags_refused():
        settled = settle(gguf.metadata, wishes)
    if show_chain and as_json and prompt is None:
        from qwq_gguf.cli.showing.chain import chain_json

        emit_json(chain_json(settled.resolved, settled.profile))
        return
    if show_chain:
        chain_flags.show_chain(settled.resolved, stderr=prompt is not None)
        note(f"thoughts: {settled.thoughts.form.describe()}")
    elif not quiet:
        chain_flags.show_notes(settled.resolved)
    if settled.thoughts.note is not None and not quiet:
        note(f"note: {settled.thoughts.note}")
    if show_chain and prompt is None:
        return
    chosen = tool_flags.tools_of(tools)
    asked = None if prompt is None else _question(prompt)

    from qwq_gguf.cli.chatting.loading import load_model
    from qwq_gguf.cli.chatting.loop import answer_one, collect, talk
    from qwq_gguf.cli.chatting.screen import screen
    from qwq_gguf.cli.chatting.shown import Shown
    from qwq_gguf.jobs.chat_opening import open_chat

    bring_gguf(located, report)
    shown = Shown(thoughts=not (hide_thinking or quiet), notes=not quiet, details=verbose)
    view = screen(shown, budget=settled.profile.governor.budget)
    with (
        load_model(
            located.path,
            context=placed.tokens,
            usual_context=settled.profile.context,
            gpu_layers=placed.layers,
            threads=placed.threads,
            wish=wish,
            guessing=speculation,
            quiet=quiet,
        ) as model,
        open_chat(
            model,
            wishes,
            report,
            tools=chosen,
            system=system,
            seed=seed,
            max_tokens=max_tokens,
            session=session,
            on_prompt=None if as_json else view.reading,
        ) as talked,
    ):
        if asked is None:
            talk(talked, view, shown)
            return
        if as_json:
            from qwq_gguf.cli.showing.reply import reply_to_json

            reply = collect(talked.conversation, talked.ask(asked))
            emit_json(reply_to_json(reply, settled.profile, settled.thoughts))
        else:
            reply = answer_one(
                talked.conversation, talked.ask(asked), view, shown=shown, attended=view.attended
            )
    if reply.finish_reason is FinishReason.INTERRUPTED:
        raise typer.Exit(INTERRUPTED)
    if not reply.answer.strip():
        raise typer.Exit(NO_ANSWER)


def _question(prompt: str) -> str:
    text = read_all().rstrip("\n") if prompt == "-" else prompt
    if not text.strip():
        raise typer.BadParameter("the prompt is empty")
    if prompt != "-":
        text = with_piped(text, piped_text())
    # Arguments that are not UTF-8 arrive as surrogates, which no tokenizer takes.
    return text.encode("utf-8", "replace").decode()
