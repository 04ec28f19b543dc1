"""A helper's part in the diagnostics of a finished map: pieces of the stages that the leader has opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cfs_explore.backbones import Backbone
from cfs_explore.engine import Leases
from cfs_explore.errors import CFSError, RunCancelled
from cfs_explore.pipeline import board as boards
from cfs_explore.pipeline.board import Board, Closed
from cfs_explore.pipeline.diagnose import compute_of
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Left, Study
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS

#: A helper whose piece has not come a batch further for so many seconds hangs: others take the piece over.
HANGS_SECONDS = 1200.0


def help_stages(
    run: Path,
    board: Board,
    facts: Mapping,
    backbone: Backbone,
    say: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> int:
    """Compute pieces of the open stages, in the leader's order, until all of them are there; gives how many.

    What a stage makes of its pieces, also why the data does not allow it, is the leader's to say.

    Raises:
        RunCancelled: ``cancelled`` said so. RunError: the leader is gone. DamageError: a file of the run is damaged.
    """
    folder, done = boards.home(run) / facts["folder"], 0
    with Leases(folder, patience=lambda: HANGS_SECONDS) as leases:

        def go_on() -> bool:
            """Asked after each batch, and while others are waited for."""
            leases.go_on()
            board.check(facts, cancelled)
            board.check_leader(facts, leases)
            return False

        for name in facts["stages"]:
            say(f"helping with {DIAGNOSTICS[name].title.lower()}")
            study = Study(open_run(run), Progress(cancelled=go_on), backbone=backbone)
            study.pieces.share(leases, leads=False)
            study.progress.start(name, 0, "")
            try:
                compute_of(DIAGNOSTICS[name])(study)
            except Left:
                pass
            except Closed:
                break
            except RunCancelled:
                raise
            except CFSError as error:
                board.check_leader(facts, leases)
                say(f"cannot help with {DIAGNOSTICS[name].title.lower()}: {error}")
            finally:
                done += study.pieces.computed
    say("no piece of the diagnostics is left")
    return done
