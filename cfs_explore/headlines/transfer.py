"""What the protocol page says of transfer in one sentence (theory 26)."""

from __future__ import annotations

import pandas as pd

from cfs_explore.wording import counted, format_value


def transfer_headline(table: pd.DataFrame) -> str:
    """Markdown: what the maps of other backbones lose, beside a fixed and a random cell.

    Args:
        table: of ``figures.protocol_transfer.transfer_table``.
    """
    mean = table[table["ood"] == ""]
    pairs = mean[~mean["source"].isin(["fixed", "random"])]
    low, high = (format_value(value) for value in (pairs["loss"].min(), pairs["loss"].max()))
    lost = low if low == high else f"{low} to {high}"
    clear = int((pairs["loss_lo"] > 0).sum())
    others = [
        f"{words} {format_value(mean[mean['source'] == name]['loss'].mean())}"
        for name, words in (("fixed", "the published cell"), ("random", "a random cell"))
        if (mean["source"] == name).any()
    ]
    text = (
        f"Choosing by another backbone's map instead of the own loses **{lost}** AUROC on average over the sets, clear "
        f"of 0 for {clear} of {counted(len(pairs), 'pair')}"
    )
    return f"{text}; {', '.join(others)}." if others else f"{text}."
