"""The room and its page open without the packages that take seconds to load."""

import subprocess
import sys

HEAVY = ("torch", "sklearn", "umap", "numba")


def test_nothing_heavy_loads_before_it_is_needed():
    code = "import cfs_explore.embedding, cfs_explore.ui.images_view, sys; print(*[p for p in %r if p in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code % (HEAVY,)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
