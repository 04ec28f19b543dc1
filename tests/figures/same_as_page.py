"""Compare a figure with what a page shows: chart, caption, description, file name and table."""

import json

from streamlit.testing.v1 import AppTest

from cfs_explore.figures import Figure, csv_text
from cfs_explore.ui.sidebar import escape


def assert_page_shows(app: AppTest, key: str, figure: Figure) -> None:
    """The chart with this key on an opened page is the figure, and so is the table behind it."""
    elements = list(app.main)
    charts = [k for k, element in enumerate(elements) if element.type == "plotly_chart"]
    place = next((k for k in charts if elements[k].proto.id.endswith(f"-{key}")), None)
    assert place is not None, f"no chart {key} among {[elements[k].proto.id for k in charts]}"
    chart, behind = elements[place].proto, elements[place + 1 :]
    assert json.loads(chart.spec) == figure.sent
    assert json.loads(chart.config)["toImageButtonOptions"]["filename"] == figure.stem
    assert chart.alt == figure.alt
    shown = [element for element in behind if element.type != "flex_container"][:3]
    assert [element.type for element in shown] == ["caption", "popover", "dataframe"]
    assert f"{shown[0].value} ".startswith(f"{escape(figure.caption)} ")
    assert csv_text(figure) == shown[2].value.to_csv(index=False)
