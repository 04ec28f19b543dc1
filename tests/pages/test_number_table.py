"""Tables write numbers as the pages do, and still sort by their values."""

import pandas as pd

from cfs_explore.ui.number_table import signed_numbers


def test_a_true_minus_and_a_sign_of_differences():
    table = pd.DataFrame({"name": ["-a"], "lam": [-5.0], "error": [0.0126], "lead": [float("nan")], "plain": [-1.0]})
    styled = signed_numbers(table, {"lam": 2}, {"error": 3, "lead": 3})
    html = styled.to_html()
    assert all(f">{text}</td>" in html for text in ("-a", "\u22125.00", "+0.013", ""))
    assert styled.data.equals(table)
