"""Streamlit collects garbage after every run of a page: a tenth of a second if libraries are gone through each time."""

from __future__ import annotations

import atexit
import gc
import sys

#: So many modules must have come before all that is there is left out once more.
_MANY = 50
_known = 0


def leave_out_libraries() -> None:
    """Leave what libraries hold out of later collections, and with it whatever else is alive at this moment."""
    global _known
    if not _known:
        atexit.register(gc.unfreeze)  # at the end some libraries look whether all of theirs was collected
    if len(sys.modules) >= _known + _MANY:
        gc.collect()  # what is dead already is not kept
        gc.freeze()
        _known = len(sys.modules)
