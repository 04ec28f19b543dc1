"""Numbers of a table as everywhere on the pages: a true minus, which Streamlit's own formats do not have."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from pandas.io.formats.style import Styler

from cfs_explore.wording import format_signed, format_value


def signed_numbers(table: pd.DataFrame, decimals: Mapping[str, int], differences: Mapping[str, int]) -> Styler:
    """The table with its numbers written; columns sort by their values all the same, and need no format of their own.

    Args:
        table: of any columns; the others stay as they are.
        decimals: column -> decimals: '−5.00'.
        differences: the same of columns that have a sign always: '+0.012'.
    """
    styles = {name: lambda value, n=n: "" if pd.isna(value) else format_value(value, n) for name, n in decimals.items()}
    styles |= {
        name: lambda value, n=n: "" if pd.isna(value) else format_signed(value, n) for name, n in differences.items()
    }
    return table.style.format(styles)
