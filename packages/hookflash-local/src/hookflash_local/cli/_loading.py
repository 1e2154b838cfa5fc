"""Show the progress of loading: a bar on a terminal, one line per step elsewhere."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn


class Loading:
    """Use `with Loading(console) as loading:`, then call it with the step and the fraction."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("[bold]{task.description}"), BarColumn(), console=console, transient=True
        )
        self._task = self._bar.add_task("starting", total=1.0)
        self._told = ""

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
        elif what != self._told:
            self._console.print(f"hookflash: {what} ...")
        self._told = what

    def _stop(self) -> None:
        # Without a terminal, stopping the bar would print an empty line.
        if self._console.is_terminal:
            self._bar.stop()
