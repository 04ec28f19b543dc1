"""Progress on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable]:
    """A function that shows ProgressEvents as a bar on a terminal, and nowhere else."""
    from tqdm import tqdm

    with tqdm(total=0, dynamic_ncols=True, disable=None) as bar:
        stage = ""

        def show(event) -> None:
            nonlocal stage
            if bar.disable:
                return
            if event.stage != stage:
                stage = event.stage
                bar.reset(total=event.total)
                bar.unit = f" {event.unit}"
            bar.set_description_str(f"{stage}: {event.detail}", refresh=False)
            bar.update(event.done - bar.n)

        yield show
