"""Libraries are left out of garbage collection while the app runs, and are collected at its end like any other."""

import subprocess
import sys

SCRIPT = """
import atexit, gc
atexit.register(lambda: print("frozen at the end:", gc.get_freeze_count()))
from cfs_explore.ui.collector import leave_out_libraries
leave_out_libraries()
print("frozen:", gc.get_freeze_count() > 0)
"""


def test_what_is_left_out_is_collected_at_the_end():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["frozen: True", "frozen at the end: 0"] and not done.stderr
