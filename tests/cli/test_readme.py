"""The README's commands do what it says of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"
# A part of each command about the demo, the more particular first, and what it must write.
OUTCOMES = {
    "quantize demo": r"QwQ-Demo-Q4_K_M\.gguf",
    "--tools calculator": r"\\boxed\{122,?112,?726\}",
    "modelfile QwQ-Demo": r"(?m)^FROM \./QwQ-Demo-Q4_K_M\.gguf$",
    "-p - --json": r'"answer": ?".*46',
    "profiles --compare": r"qwq.*llama-cpp",
    "--grammar": r"(?m)\A\\boxed\{301\}$",
    "eval thinking": r"(?m)^llama-cpp +all",
    'chat QwQ-Demo-Q4_K_M.gguf -p "What is 7*43?"': r"(?m)^7\*43 = \\boxed\{301\}$",
}
# Quicker, and nothing else.
SHORTER = {"--limit 20": "--limit 1"}


def commands() -> list[str]:
    """The README's indented commands about the demo, in its order."""
    found = re.findall(r"(?m)^    (?:\$ )?((?:echo .* \| )?qwq-gguf .*)$", README.read_text())
    return [command for command in found if re.search(r"QwQ-Demo|quantize demo", command)]


def test_the_commands_of_the_readme(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "qwq-gguf"
    program.parent.mkdir()
    start = "from qwq_gguf.cli.main import main; main()"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{start}' \"$@\"\n")
    program.chmod(0o755)
    tried = set()
    for command in commands():
        part = next(part for part in OUTCOMES if part in command)
        tried.add(part)
        for long, short in SHORTER.items():
            command = command.replace(long, short)
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        told = done.stdout or done.stderr
        assert re.search(OUTCOMES[part], told), f"{command}\n{told}"
    assert tried == OUTCOMES.keys()
