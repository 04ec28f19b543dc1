"""CSV that a spreadsheet opens: no cell is computed, no number is changed, and there is no other way out."""

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cfs_explore.reports.protocol import write_csv
from cfs_explore.safe_io.csv_export import to_csv

PACKAGE = Path(__file__).parents[2] / "cfs_explore"
HOSTILE = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\n=1", " =1", '=HYPERLINK("http://x","y")', "＝1+1", "-"]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("kind", [object, "str", "category"])
def test_formulas_are_texts(text, kind):
    frame = pd.DataFrame({"name": pd.Series([text, "a"]).astype(kind), text: [1, 2]})
    back = pd.read_csv(io.StringIO(to_csv(frame), newline=""), dtype=str)
    assert list(back["name"]) == [f"'{text}", "a"] and list(back.columns) == ["name", f"'{text}"]


def test_numbers_stay_numbers():
    frame = pd.DataFrame(
        {
            "f": [-0.5, np.nan],
            "i": [-3, 4],
            "n": pd.array([-1, None], dtype="Int64"),
            "b": [True, False],
            "t": ["-0.25", "-1e-05"],
            "o": pd.Series([-1.5, "a"], dtype=object),
            "m": ["a-b", None],
        }
    )
    assert to_csv(frame) == frame.to_csv(index=False)


@pytest.mark.parametrize("text", ["\r=1", "a\r=1", "a\r\n=1"])
def test_no_line_break_begins_a_row(text):
    (cell,) = pd.read_csv(io.StringIO(to_csv(pd.DataFrame({"name": [text]})), newline=""))["name"]
    assert cell in ("'\n=1", "a\n=1")


def test_lists_of_texts_are_as_harmless():
    assert to_csv(pd.DataFrame({"a": [["=1"]]})) == frame_text("a", "['=1']")


def frame_text(*cells: str) -> str:
    return "".join(f"{cell}\n" for cell in cells)


def test_the_table_itself_is_left_alone():
    frame = pd.DataFrame({"a": ["=1"]})
    to_csv(frame)
    assert list(frame["a"]) == ["=1"] and list(frame.columns) == ["a"]


def test_files_of_the_command_line_are_as_harmless(tmp_path):
    (path,) = write_csv({"t": pd.DataFrame({"set": ["=1"]})}, tmp_path)
    assert path.read_text() == "set\n'=1\n"


def test_no_other_place_writes_csv():
    """But for names in an address, which are no table."""
    writing = [p for p in PACKAGE.rglob("*.py") if re.search(r"\.to_csv\(|csv\.writer|DictWriter", p.read_text())]
    assert sorted(path.name for path in writing) == ["csv_export.py", "options.py"]


def test_tables_of_pages_offer_no_download_of_their_own():
    """Streamlit's writes cells as they are."""
    style = (PACKAGE / "ui" / "style.py").read_text()
    assert '[data-testid="stElementToolbarButton"]:has([aria-label^="Download as CSV"]) {display: none;}' in style
