"""The app's own settings: palette, contrast, and nothing from the network."""

import tomllib
from pathlib import Path

import pytest

from cfs_explore.charts.theme import PALETTES

CONFIG = Path(__file__).parents[2] / ".streamlit" / "config.toml"


@pytest.fixture
def config():
    return tomllib.loads(CONFIG.read_text())


def test_pages_match_the_figures(config, theme):
    page = config["theme"][theme]
    assert page["backgroundColor"] == PALETTES[theme].page
    assert page["textColor"] == PALETTES[theme].ink


def test_contrast_meets_aa(config, theme, contrast):
    page = config["theme"][theme]
    assert contrast(page["primaryColor"], "#FFFFFF") >= 4.5  # text on buttons
    assert contrast(page["primaryColor"], page["backgroundColor"]) >= 3
    for surface in (page["backgroundColor"], page["secondaryBackgroundColor"]):
        assert contrast(page["textColor"], surface) >= 7
        assert contrast(page["linkColor"], surface) >= 4.5


def test_nothing_is_fetched_or_reported(config):
    assert config["browser"]["gatherUsageStats"] is False
    assert "http" not in CONFIG.read_text()


def test_every_option_exists_in_streamlit(config):
    streamlit_config = pytest.importorskip("streamlit.config")
    known = set(streamlit_config.get_config_options())

    def names(node, prefix):
        for key, value in node.items():
            if isinstance(value, dict):
                yield from names(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}"

    assert set(names(config, "")) <= known
