"""Record a chat with the demo model as docs/chat.svg: the program's own screen, not a drawing."""

from __future__ import annotations

import inspect
import io
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text
from rich.theme import Theme

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.cli.chatting.loop import answer_one, greeting
from qwq_gguf.cli.chatting.view import TerminalView
from qwq_gguf.cli.terminal.styles import STYLES
from qwq_gguf.conversion.conversion import convert
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.model import Model
from qwq_gguf.profiles import load_profile
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from qwq_gguf.tools import tools_named

ROOT = Path(__file__).resolve().parents[2]
SPOKEN = ("What is 7*43?", "Which is larger, 9.9 or 9.11?")
FOR_THE_TOOL = "What is 3394*35979?"
SEED = 1
WIDTH = 80

THEME = TerminalTheme(
    background=(24, 26, 31),
    foreground=(214, 218, 226),
    normal=[
        (24, 26, 31), (224, 108, 117), (152, 195, 121), (229, 192, 123),
        (97, 175, 239), (198, 120, 221), (86, 182, 194), (214, 218, 226),
    ],
)  # fmt: skip

# A picture in a repository must not fetch fonts; readers have a monospaced one.
_RICHS: str = inspect.signature(Console.export_svg).parameters["code_format"].default
FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", _RICHS, flags=re.DOTALL).replace(
    "Fira Code", "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono"
)


def record(gguf: Path) -> Console:
    """Hold the conversation; the console remembers what it showed."""
    console = Console(
        record=True, file=io.StringIO(), width=WIDTH, force_terminal=True,
        color_system="truecolor", highlight=False, markup=False, emoji=False, theme=Theme(STYLES),
    )  # fmt: skip

    def typed(mark: str, text: str) -> None:
        console.print(Text.assemble((mark, "bold green"), text))

    view = TerminalView(console, live=False)
    profile = load_profile("qwq")
    with Model.load(gguf) as model:
        typed("$ ", f"qwq-gguf chat {gguf.name}")
        conversation = Conversation(model, profile, seed=SEED)
        console.print(greeting(conversation))
        for question in SPOKEN:
            typed(">>> ", question)
            answer_one(conversation, conversation.stream(question), view)
        typed(">>> ", "/bye")
        typed("$ ", f'qwq-gguf chat {gguf.name} --tools calculator -p "{FOR_THE_TOOL}"')
        tools = tools_named(["calculator"])
        conversation = Conversation(model, profile, tools=tools, seed=SEED)
        answer_one(conversation, conversation.stream(FOR_THE_TOOL), view)
    return console


def main(target: Path) -> None:
    """Quantize the demo, talk with it, and draw what was seen."""
    checkpoint = open_checkpoint("demo")
    plan = make_plan(convert(checkpoint), load_recipe("Q4_K_M"))
    with tempfile.TemporaryDirectory() as folder:
        gguf = Path(folder) / f"{checkpoint.name}-{plan.recipe}.gguf"
        run_plan(plan, gguf)
        console = record(gguf)
    target.parent.mkdir(parents=True, exist_ok=True)
    drawn = console.export_svg(title="qwq-gguf", theme=THEME, code_format=FORMAT, unique_id="chat")
    target.write_text(drawn, encoding="utf-8")
    print(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "chat.svg")
