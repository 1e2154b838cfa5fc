"""Show loading progress: a bar on a terminal, otherwise one line per step."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn


class Loading:
    """Shows loading progress.

    Use `with Loading(console) as loading:`, then `loading(step, fraction)` with 0 <= fraction <= 1.
    At 1 it stops.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("[bold]{task.description}"), BarColumn(), console=console, transient=True
        )
        self._task = self._bar.add_task("starting", total=1.0)
        self._printed = ""

    def __enter__(self) -> Loading:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def __call__(self, what: str, fraction: float) -> None:
        if fraction >= 1.0:
            self._stop()
        elif self._console.is_terminal:
            self._bar.update(self._task, description=what, completed=fraction)
        elif what != self._printed:
            self._console.print(f"hookflash: {what} ...")
        self._printed = what

    def _stop(self) -> None:
        # In a pipe or a log, stopping the bar would print an empty line.
        if self._console.is_terminal:
            self._bar.stop()
