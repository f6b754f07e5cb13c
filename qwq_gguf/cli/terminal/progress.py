"""Progress bars, on stderr or in a notebook, and only where a person sees them."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from qwq_gguf.cli.terminal.output import stderr_console
from qwq_gguf.words import human_bytes, human_count, human_time, one_line

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import Task, TaskID
    from rich.text import Text

    from qwq_gguf.jobs.events import Progress

__all__ = ["ByteBar", "CountBar", "StreamBar"]


def _bar(unit: str, *, big: bool) -> Bar:
    from rich.progress import BarColumn, ProgressColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            if not speed:
                return Text("")
            per = task.fields.get("unit", unit)
            if per == "B":
                return Text(f"{human_bytes(speed)}/s", style="cyan")
            shown = human_count(speed) if big else f"{speed:.1f} "
            return Text(f"{shown}{per}/s", style="cyan")

    class Left(ProgressColumn):
        def render(self, task: Task) -> Text:
            left = task.time_remaining
            return Text("" if left is None else f"{human_time(left)} left", style="dim")

    console = stderr_console()
    return Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:3.0f} %"),
        Rate(),
        Left(),
        console=console,
        disable=not (console.is_terminal or console.is_jupyter),
        transient=True,
        expand=True,
        speed_estimate_period=10,
    )


class _Shown:
    """A bar with one task, on the screen as long as the context lasts."""

    def __init__(self, what: str, total: float | None, *, unit: str, big: bool) -> None:
        self._bar = _bar(unit, big=big)
        self._task = self._bar.add_task(one_line(what), total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()


class CountBar(_Shown):
    """A bar over a known number of things."""

    def __init__(self, what: str, total: float, *, unit: str) -> None:
        super().__init__(what, total, unit=unit, big=False)

    def update(self, progress: Progress) -> None:
        """Show how many are done, and where we are."""
        what = one_line(progress.what)
        self._bar.update(self._task, completed=progress.done, description=what)


class StreamBar(_Shown):
    """The bar of a run, weights a second and the time left; under it that of the download it
    works on.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what, None, unit="weights", big=True)
        self._download: TaskID | None = None

    def update(self, progress: Progress) -> None:
        """Show how far a run is."""
        self._bar.update(self._task, completed=progress.done, total=progress.total)

    def downloaded(self, progress: Progress) -> None:
        """Show how far the download is; called from its thread."""
        what = one_line(progress.what)
        if self._download is None:
            self._download = self._bar.add_task(what, total=progress.total, unit="B")
        self._bar.update(self._download, completed=progress.done, description=what)


class ByteBar(_Shown):
    """The bar of a download, a copy or a check: bytes a second and the time left."""

    def __init__(self, what: str, total: int | None = None) -> None:
        super().__init__(what, total, unit="B", big=True)

    def update(self, progress: Progress) -> None:
        """Show how far it is, and at what; from any thread."""
        if progress.what:
            self._bar.update(self._task, description=one_line(progress.what))
        self._bar.update(self._task, completed=progress.done, total=progress.total)
