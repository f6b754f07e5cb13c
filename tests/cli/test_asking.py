"""A change is agreed to by a person at a terminal, or by a flag, and by nothing else."""

from __future__ import annotations

import io

import pytest

from qwq_gguf.cli.terminal.asking import agreed


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("y\n", True), ("YES\n", True), ("\n", False), ("n\n", False), ("", False), ("yup\n", False)],
)
def test_what_is_typed(typed: str, meant: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    monkeypatch.setattr("sys.stderr", said)
    assert agreed("Go on?", yes=False) is meant
    assert said.getvalue().startswith("Go on? [y/N] ")


def test_nobody_is_asked_where_there_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for stdin, stderr in ((io.StringIO("y\n"), Terminal()), (Terminal("y\n"), io.StringIO())):
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setattr("sys.stderr", stderr)
        assert agreed("Go on?", yes=False) is False
        assert stderr.getvalue() == ""
        assert agreed("Go on?", yes=True) is True
    monkeypatch.setattr("sys.stdin", None)
    assert agreed("Go on?", yes=False) is False
