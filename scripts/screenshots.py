"""Take the README's screenshots from the running app, in a real browser.

Usage: python scripts/screenshots.py [folder]    (default docs/images; needs Chrome or Chromium)
"""

from __future__ import annotations

import sys
from pathlib import Path

from app_browser import ROOT, headless_browser, running_app, settle

#: file name -> (page with its query, colour scheme)
SHOTS = {
    "start": ("?run=digits", "light"),
    "map": ("map?run=digits&ood=letters&cell=141", "light"),
    "map-dark": ("map?run=digits&ood=letters&cell=141", "dark"),
    "verdict": ("verdict?run=digits", "light"),
    "images": ("images?run=digits&ood=letters", "light"),
    "triage": ("triage?run=digits&ood=letters", "light"),
    "image": ("image?run=digits&ood=letters", "light"),
    "complementarity": ("complementarity?run=digits&ood=letters", "light"),
    "separation": ("separation?run=digits&ood=letters", "light"),
    "where": ("where?run=digits&ood=letters", "light"),
    "stability": ("stability?run=digits&ood=letters", "light"),
    "prediction": ("prediction?run=digits&ood=letters", "light"),
    "controls": ("controls?run=digits&ood=letters", "light"),
    "protocol": ("protocol?run=digits&ood=letters&protocol_view=cost", "light"),
    "compare": ("protocol?run=digits&ood=letters&protocol_view=compare", "light"),
    "probe": ("probe?run=digits&ood=letters", "light"),
    "lab": ("lab", "light"),
    "new": ("new?run=digits", "light"),
}


def main(folder: Path = ROOT / "docs" / "images") -> None:
    """Start the app, visit each page, save a PNG of each."""
    with running_app() as url, headless_browser() as browser:
        for name, (path, scheme) in SHOTS.items():
            page = browser.new_page(viewport={"width": 1440, "height": 1250}, color_scheme=scheme)
            page.goto(f"{url}/{path}")
            settle(page)
            page.screenshot(path=folder / f"{name}.png")
            print(folder / f"{name}.png")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
