"""Compare a figure with what a page shows: chart, caption, description, file name and table."""

import json

from streamlit.testing.v1 import AppTest

from cfs_explore.figures import Figure, csv_text
from cfs_explore.ui.sidebar import escape


def assert_page_shows(app: AppTest, key: str, figure: Figure) -> None:
    """The chart with this key on an opened page is the figure.

    A page that fills the table only when it is opened is not asked for it.
    """
    elements = list(app.main)
    charts = [k for k, element in enumerate(elements) if element.type == "plotly_chart"]
    place = next((k for k in charts if elements[k].proto.id.endswith(f"-{key}")), None)
    assert place is not None, f"no chart {key} among {[elements[k].proto.id for k in charts]}"
    chart, behind = elements[place].proto, elements[place + 1 :]
    assert json.loads(chart.spec) == figure.sent
    assert json.loads(chart.config)["toImageButtonOptions"]["filename"] == figure.stem
    assert chart.alt == figure.alt
    types = [element.type for element in behind[:5]]
    assert types[:4] == ["flex_container", "caption", "flex_container", "popover"]
    assert f"{behind[1].value} ".startswith(f"{escape(figure.caption)} ")
    if types[4] == "dataframe":
        assert csv_text(figure) == behind[4].value.to_csv(index=False)
