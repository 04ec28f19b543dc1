"""Tables as CSV that a spreadsheet opens without computing anything: the one way out for all of them."""

from __future__ import annotations

import re

import pandas as pd

#: What spreadsheets take for a formula, some of them behind blanks, and a number as text, which is none.
_FORMULA = re.compile(r"\s*[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def to_csv(frame: pd.DataFrame, digits: int = 17) -> str:
    """A table as CSV, without its index; texts that a spreadsheet would compute begin with an apostrophe.

    Numbers stay as they are, also negative ones, and so does a text that is just a number.

    Args:
        frame: any table.
        digits: significant ones of its numbers; 17 tell any two apart, 9 any two of single precision.
    """
    safe = frame.copy(deep=False)
    for position, kind in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            safe.isetitem(position, frame.iloc[:, position].astype(object).map(_harmless))
    safe.columns = [_harmless(name) for name in frame.columns]
    return safe.to_csv(index=False, float_format=None if digits >= 17 else f"%.{digits}g")


def _harmless(value: object) -> object:
    if not isinstance(value, str | bytes | list | tuple | dict):
        return value
    text = str(value).replace("\r\n", "\n").replace("\r", "\n")  # a lone \r would begin a row, unquoted
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
