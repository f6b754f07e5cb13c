"""Run the checks of gpu_check without a card: that the code runs, and nothing else."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="gpu_check dry", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/gpu-check"))
    parser.add_argument("--server", type=Path, help="a llama-server program to compare with")
    parser.add_argument("--only", help="names of checks, with commas between")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    report = given.out / "gpu.json"
    report.write_text(json.dumps({"machine": "dry: no card"}) + "\n", encoding="utf-8")
    checks = Path(__file__).resolve().with_name("checks.py")
    command = [sys.executable, str(checks), str(report), "--small"]
    command += ["--server", str(given.server)] if given.server else []
    command += ["--only", given.only] if given.only else []
    sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
