"""What the app's process loads: a network must never live in it, and pages must open quickly."""

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
VISIT = """
import sys
sys.path.insert(0, {tests!r})
from page_steps import open_page
open_page()
app = open_page("map", run="digits", ood="letters")
app.selectbox(key="ood").select("noisy").run()
assert not app.exception
open_page("new")
{also}
print(*sorted({{"torch", "diffusers", "sklearn", "kaleido"}} & set(sys.modules)))
"""


def loaded(also: str = "") -> list[str]:
    """Which heavy packages a fresh process holds after a visit to every page."""
    code = VISIT.format(tests=str(TESTS), also=also)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_no_page_loads_a_network():
    assert loaded() == []


def test_this_check_can_fail():
    assert loaded("import sklearn") == ["sklearn"]
