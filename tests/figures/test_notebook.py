"""docs/figures.ipynb makes a bundle's figures: its cells are run one after the other in a fresh interpreter."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from cfs_explore import open_run
from cfs_explore.charts import has_browser
from cfs_explore.locations import locate_run

NOTEBOOK = Path(__file__).parents[2] / "docs" / "figures.ipynb"


def code_cells() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.slow
def test_the_notebook_reproduces_the_figures_of_the_bundle(tmp_path):
    script = "\n".join(code_cells()) + "\nprint('END', figure.rows['auroc'].sum())\n"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run = open_run(locate_run("digits"))
    total = float(re.search(r"END ([\d.]+)", done.stdout)[1])
    assert abs(total - run.auroc_map(run.ood_names[0])["auroc"].sum()) < 1e-9
    folder = tmp_path / "figures"
    figures = {path.stem for path in folder.glob("*.svg" if has_browser() else "*.html")}
    assert len(figures) > 5 and {path.stem for path in folder.glob("*.csv")} == figures
    heads = pd.read_csv(next(folder.glob("*-separation-predicted.csv")))
    table = run.table("separation")
    pd.testing.assert_series_equal(
        heads["auroc"], table[table["ood"] == "letters"]["auroc"].reset_index(drop=True), check_dtype=False
    )
    assert (tmp_path / "digits-report.html").stat().st_size > 1e6
