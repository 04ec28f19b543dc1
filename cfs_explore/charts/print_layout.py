"""Where everything stands on a printed page: margins from what the labels need, and half of the page for the data.

Works on a figure's dictionary whose type is already printed type. Labels are as wide as ``print_text`` says.
"""

from __future__ import annotations

import math
from itertools import pairwise

from cfs_explore.charts.number_grid import CELL_TEXT
from cfs_explore.charts.print_page import PAD as _PAD
from cfs_explore.charts.print_page import Page
from cfs_explore.charts.print_table import fit_table
from cfs_explore.charts.print_text import LINE, height_px, lines_of, printed_px, wrapped

#: Journals accept no smaller type: 6 pt at 96 pixels per inch.
SMALLEST_PX = 8.0
#: Of the page, for the data; a little more than half.
_DATA_SHARE = 0.52
_STANDOFF = 6.0
#: Plotly's legend: line and gaps beside a name, least height of a name and gap below it, edge of the whole.
_KEY_PX, _NAME_PX, _NAME_GAP, _LEGEND_EDGE = 45.0, 16.0, 3.0, 10.0
_BAR_PX = 6.0


def lay_out(page: Page) -> None:
    """Place labels, legend and colour bar of a figure with one plot or several beside each other; set its height."""
    margin = page.layout["margin"]
    below = page.kind == "map" and page.layout["coloraxis"].get("showscale", True)
    if below:
        margin["r"] = 2 * _PAD
    _y_labels(page)
    fit_table(page)
    row_lines, cell_px = _notes(page)
    above, under = _x_labels(page)
    heads = max(above, _heads(page))
    margin["t"] = _PAD + heads + _legend(page)
    margin["b"] = max(under, _PAD)
    tall = _colour_bar(page) if below else 0.0
    margin["b"] += tall
    plot = _plot_height(page, row_lines, cell_px)
    for axis in page.axes("y"):
        if "ticktext" in axis:
            _thin(page, axis, plot, turned=True)
    if below:
        _hang_bar(page, plot, tall)
    if "legend" in page.layout:
        page.layout["legend"]["y"] = 1 + heads / plot
    page.layout["height"] = float(round(plot + margin["t"] + margin["b"]))


def _plot_height(page: Page, row_lines: int, cell_px: float) -> float:
    """Height between the margins: the kind's own, more where labels or the data's share of the page ask for it."""
    margin, meta = page.layout["margin"], page.layout.get("meta") or {}
    outside, plot_px = margin["t"] + margin["b"], page.plot_px
    if page.kind == "map":
        cell = plot_px / meta["span"]
        tick = max(SMALLEST_PX, min(page.small, 0.9 * cell))
        least = max(cell, 1.25 * tick) * meta["rows"]
        if any("scaleanchor" in axis for axis in page.axes("y")):  # pictures: square cells
            return cell * meta["rows"]
    elif page.kind == "rows":
        low, high = page.layout["yaxis"].get("range", (0, 0))
        least = max(page.rows_px + row_lines * LINE * page.small * abs(high - low), cell_px * abs(high - low))
    elif page.kind == "square":
        least = min(plot_px, 320.0)
    else:
        least = min(0.62 * page.width, 320.0) - outside
    for axis in page.axes("y"):
        low, high = axis.get("domain", (0, 1))
        least = max(least, 1.05 * printed_px(_title(axis), page.small) / (high - low))
    if any(axis.get("constrain") == "domain" for axis in page.axes("y")):  # drawn as a square: side^2 of data
        share = _DATA_SHARE * page.width
        return min(plot_px, max(least, (share + math.sqrt(share**2 + 4 * share * outside)) / 2))
    spare = _share_of_plot(page) * plot_px / page.width - _DATA_SHARE
    return max(least, _DATA_SHARE * outside / spare) if spare > 0.02 else least


def _share_of_plot(page: Page) -> float:
    """What panels cover of the area between the margins."""
    pairs = {(trace.get("xaxis", "x"), trace.get("yaxis", "y")) for trace in page.data}

    def share(reference: str) -> float:
        low, high = page.axis(reference).get("domain", (0, 1))
        return high - low

    return sum(share(x) * share(y) for x, y in pairs)


def _title(axis: dict) -> str:
    return (axis.get("title") or {}).get("text") or ""


def _y_labels(page: Page) -> None:
    """Left margin for labels that are given; a label that would take a third of the page is broken."""
    axis = page.layout.get("yaxis", {})
    if not axis.get("visible", True) or not axis.get("ticktext"):
        return
    size = page.type_of(axis, "tickfont")
    axis["ticktext"] = [wrapped(text, size, 0.27 * page.width) for text in axis["ticktext"]]
    title = height_px(_title(axis), page.small) + _STANDOFF if _title(axis) else 0.0
    page.layout["margin"]["l"] = max(printed_px(text, size) for text in axis["ticktext"]) + title + 2 * _PAD


def _notes(page: Page) -> tuple[int, float]:
    """Break annotations that are too wide; returns lines added to a row's label, and the height of a cell's text."""
    margin = page.layout["margin"]
    grid = any(note.get("name") == CELL_TEXT for note in page.notes())
    added, cell_px = 0, 0.0
    for note in page.notes():
        size, where = page.type_of(note), note.get("xref", "x")
        if where.endswith("domain"):
            low, high = page.axis(where).get("domain", (0, 1))
            room = (high - low) * page.plot_px
        elif where == "paper":
            room = (1 - note["x"]) * page.plot_px + margin["r"] - _PAD
        elif grid:
            if note.get("textangle") or note.get("xanchor") == "left":  # upright, or over the whole row
                continue
            room = page.column_px(where) - _PAD
        else:
            _turn_inwards(page, note, size)
            continue
        note["text"] = wrapped(note["text"], size, room)
        if note.get("xanchor") == "left":
            note["align"] = "left"
        if note.get("yref", "y") == "y" and where == "paper":
            added = max(added, len(lines_of(note["text"])) - 1)
        if note.get("name") == CELL_TEXT:
            cell_px = max(cell_px, height_px(note["text"], size) + _PAD)
    return added, cell_px


def _turn_inwards(page: Page, note: dict, size: float) -> None:
    """A label that stands right of its point stands left of it where the page would end."""
    if note.get("xanchor") != "left":
        return
    axis = page.axis(note.get("xref", "x"))
    left, right = axis.get("range") or _extent(page, axis.get("type") == "log")
    shift = note.get("xshift", 0)
    at = page.layout["margin"]["l"] + (note["x"] - left) / (right - left) * page.plot_px + shift
    if at + printed_px(note["text"], size) > page.width - _PAD:
        note.update(xanchor="right", xshift=-shift, align="right")


def _extent(page: Page, log: bool) -> tuple[float, float]:
    """Least and greatest x of the traces, which plotly's own range follows."""
    values = [float(x) for trace in page.data for x in trace.get("x", ()) if x is not None]
    low, high = min(values), max(values)
    return (math.log10(low), math.log10(high)) if log else (low, high)


def _heads(page: Page) -> float:
    """Room for annotations that stand on the plot's upper edge."""
    heads = [n for n in page.notes() if n.get("yref") == "paper" and n.get("y") == 1 and n.get("yanchor") == "bottom"]
    return max((n.get("yshift", 0) + _tall(n, page.type_of(n)) for n in heads), default=0.0)


def _tall(note: dict, size: float) -> float:
    return printed_px(note["text"], size) + _PAD if note.get("textangle") else height_px(note["text"], size)


def _x_labels(page: Page) -> tuple[float, float]:
    """Fit tick labels and titles of the x axes to their widths; returns the room above and below the plot."""
    above = under = 0.0
    for axis in page.axes("x"):
        low, high = axis.get("domain", (0, 1))
        tall = LINE * page.small
        if axis.get("ticktext") is not None:
            tall = _thin(page, axis, (high - low) * page.plot_px)
        if axis.get("side") == "top":
            above = max(above, tall + _PAD)
            continue
        if axis.get("tickangle") != -90:  # clear of the y axis' lowest label
            axis["ticklabelstandoff"] = round(_PAD)
            tall += _PAD
        if axis.get("ticks"):
            tall += 5.0
        if _title(axis):
            middle = page.layout["margin"]["l"] + (low + high) / 2 * page.plot_px
            room = (high - low) * page.plot_px if (low, high) != (0, 1) else 2 * min(middle, page.width - middle)
            axis["title"]["text"] = wrapped(_title(axis), page.small, room - _PAD)
            axis["title"]["standoff"] = _STANDOFF
            tall += _STANDOFF + height_px(_title(axis), page.small)
        under = max(under, tall + _PAD)
    return above, under


def _thin(page: Page, axis: dict, length: float, turned: bool = False) -> float:
    """Fit an axis' own tick labels to its ``length``; returns the height that they take.

    Names that do not fit beside each other are turned upright; labels get smaller down to 6 pt; then every n-th stays,
    the one in bold among them. ``turned``: of a y axis, where a label takes its height.
    """
    log = axis.get("type") == "log"
    places = [math.log10(value) if log else float(value) for value in axis["tickvals"]]
    if log and "range" not in axis:
        return LINE * page.small
    if "range" not in axis:
        axis["range"] = [min(places) - 0.7, max(places) + 0.7]
    low, high = sorted(axis["range"])
    ticks = sorted((p, v, t) for p, v, t in zip(places, axis["tickvals"], axis["ticktext"], strict=True))
    ticks = [tick for tick in ticks if low - 1e-9 <= tick[0] <= high + 1e-9]
    texts, px = [text for _, _, text in ticks], length / (high - low)
    size = page.type_of(axis, "tickfont")

    def fits(step: int, font: float, upright: bool) -> bool:
        kept = _every(ticks, step)
        return all(
            (b[0] - a[0]) * px
            >= (1.03 * font if upright else (printed_px(a[2], font) + printed_px(b[2], font)) / 2 + 0.5 * font)
            for a, b in pairwise(kept)
        )

    names = bool(axis.get("tickangle"))
    upright = turned or (names and not fits(1, size, False))
    step = 1
    while not fits(step, SMALLEST_PX, upright):
        step += 1
    while not fits(step, size, upright):
        size = max(SMALLEST_PX, size - 0.25)
    kept = _every(ticks, step)
    axis.update(tickvals=[value for _, value, _ in kept], ticktext=[text for _, _, text in kept])
    axis["tickfont"] = {**(axis.get("tickfont") or {}), "size": size}
    if turned:
        return length
    axis["tickangle"] = -90 if upright else 0
    return max(printed_px(text, size) for text in texts) + _PAD if upright else LINE * size


def _every(ticks: list[tuple], step: int) -> list[tuple]:
    bold = next((i for i, (_, _, text) in enumerate(ticks) if "<b>" in text), 0)
    return ticks[bold % step :: step]


def _legend(page: Page) -> float:
    """The legend in columns over the whole page; returns its height."""
    entries = [trace for trace in page.data if trace.get("name") and trace.get("showlegend") is not False]
    if page.layout.get("showlegend") is False or not entries:
        return 0.0
    for trace in page.data:
        trace.pop("legendgroup", None)  # groups stand apart, and on paper nothing is switched off
    for trace in entries:
        trace["name"] = wrapped(trace["name"], page.small, page.width - _KEY_PX - 2 * _LEGEND_EDGE)
    widths = [printed_px(trace["name"], page.small) + _PAD for trace in entries]
    left, room = page.layout["margin"]["l"] - _PAD, page.width - page.layout["margin"]["r"] - _PAD
    legend = {"orientation": "h", "x": -left / page.plot_px, "xanchor": "left", "y": 1, "yanchor": "bottom"}
    page.layout["legend"] = {**(page.layout.get("legend") or {}), **legend}
    rows = 1
    if sum(widths) + _KEY_PX * len(widths) > room:
        page.layout["legend"].update(entrywidth=max(widths), entrywidthmode="pixels")
        rows = math.ceil(len(widths) / max(1, int(room // (max(widths) + _KEY_PX))))
    name_px = max(_NAME_PX, *(height_px(trace["name"], page.small) for trace in entries)) + _NAME_GAP
    return rows * name_px + _LEGEND_EDGE


def _colour_bar(page: Page) -> float:
    """Lay the colour bar along the page's lower edge, its title at its left; returns their height."""
    bar, length = page.layout["coloraxis"]["colorbar"], min(page.width / 2, 260.0)
    title = wrapped(bar.pop("title")["text"], page.small, page.width - length - 4 * _PAD)
    size, texts = page.type_of(bar, "tickfont"), list(bar["ticktext"])
    end = max(printed_px(text, size) for text in (texts[0], texts[-1])) / 2 + _PAD
    widest = max(printed_px(text, size) for text in texts) + 0.5 * size
    step = next(n for n in (1, 2, 4) if widest <= n * (length - 2 * end) / (len(texts) - 1) or n == 4)
    bar.update(tickvals=list(bar["tickvals"])[::step], ticktext=texts[::step], tickangle=0, tickfont={"size": size})
    bar.update(orientation="h", thickness=_BAR_PX, lenmode="pixels", len=length, x=1, xanchor="right")
    bar.update(xpad=end, ypad=0, yanchor="top")
    note = {"text": title, "xref": "paper", "xanchor": "right", "align": "right", "font": {"size": page.small}}
    note |= {"x": 1, "xshift": -length, "yref": "paper", "y": 0, "yanchor": "top"}
    page.layout["annotations"] = [*page.layout.get("annotations", []), note]
    return max(_BAR_PX + LINE * size + _PAD, height_px(title, page.small)) + _PAD


def _hang_bar(page: Page, plot: float, tall: float) -> None:
    """Put the colour bar and its title, the last annotation, under everything else."""
    down = page.layout["margin"]["b"] - tall
    page.layout["coloraxis"]["colorbar"]["y"] = -down / plot
    page.layout["annotations"][-1]["yshift"] = -down
