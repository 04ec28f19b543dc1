"""Open a page of the app without a browser."""

import json
from pathlib import Path

from streamlit.testing.v1 import AppTest

APP = str(Path(__file__).parents[2] / "app.py")


def open_page(page: str | None = None, **query: str) -> AppTest:
    """A page after its first run, which must not have failed."""
    app = AppTest.from_file(APP, default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    if page:
        app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    return app


def forget_digests(run: Path) -> None:
    """Let a test change the files of a run; without digests nothing tells."""
    path = run / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"files": {}}))


def texts(app: AppTest) -> str:
    """What the page says, without Markdown's escapes."""
    kinds = ("markdown", "caption", "header", "subheader", "title", "info", "warning", "error")
    return "\n".join(element.value for kind in kinds for element in app.get(kind)).replace("\\", "")


def button(app: AppTest, label: str):
    """The button with this label."""
    return next(each for each in app.button if each.label == label)
