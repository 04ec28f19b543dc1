"""Addresses of the page that shows one image through all cells."""

from __future__ import annotations

from urllib.parse import urlencode

from cfs_explore.store import Run

PAGE = "pages/image.py"


def image_query(run: Run, role: str, name: str, image_id: str) -> dict[str, str]:
    """What the address of one image says after its question mark; for ``st.switch_page`` and ``st.page_link``.

    Args:
        run: the exploration.
        role, name: the set, "id_test" or "ood".
        image_id: of the image.
    """
    return {"run": run.path.name, "role": role, "set": name, "image": image_id}


def image_link(run: Run, role: str, name: str, image_id: str) -> str:
    """The same as an address relative to any page of the app, for links in HTML that escape it."""
    return f"image?{urlencode(image_query(run, role, name, image_id))}"
