"""What stands behind a figure is made when it is opened: its table, its downloads."""

from page_steps import open_page

from cfs_explore.ui import figure


def test_a_closed_table_is_not_sent_and_an_opened_one_is(monkeypatch):
    monkeypatch.setattr(figure, "FILLED", False)
    app = open_page("map", run="digits", ood="letters")
    assert not app.dataframe and len(app.get("plotly_chart")) == 5
    app.session_state["cell_roc_table"] = True
    app.run()
    assert not app.exception
    (table,) = app.dataframe
    assert list(table.value.columns)[:2] == ["fpr", "tpr"]


def test_downloads_of_one_figure_open_alone(monkeypatch):
    monkeypatch.setattr(figure, "FILLED", False)
    monkeypatch.setattr(figure, "_can_draw", lambda: True)
    app = open_page("map", run="digits", ood="letters")
    before = len(app.get("download_button"))
    app.session_state["map_files"] = True
    app.run()
    assert not app.exception and not app.dataframe
    assert len(app.get("download_button")) == before + 4
    assert app.selectbox(key="map_width").value
