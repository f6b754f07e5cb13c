"""Record what a small report looks like as Markdown: tests/golden/report.md, to be read before
it is committed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from qwq_gguf.jobs.events import silent  # noqa: E402
from qwq_gguf.jobs.reporting import make_report  # noqa: E402
from support.results import quality_result, samples_file, write_result  # noqa: E402


def small_report(folder: Path) -> str:
    """The Markdown of a report on a samples file and a result of `eval quality`."""
    runs = [samples_file(folder / "replies.jsonl")]
    runs.append(write_result(folder / "quality.json", quality_result()))
    make_report(runs, folder / "out", silent)
    return (folder / "out" / "report.md").read_text()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        (HERE / "report.md").write_text(small_report(Path(name)))
