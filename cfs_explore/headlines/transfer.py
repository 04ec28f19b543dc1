"""What the protocol page says of transfer in one sentence (theory 26)."""

from __future__ import annotations

import pandas as pd

from cfs_explore.diagnostics.transfer import FIXED, RANDOM
from cfs_explore.wording import counted, format_estimate, format_value


def transfer_headline(table: pd.DataFrame) -> str:
    """Markdown: what the maps of other backbones lose, beside a fixed and a random cell.

    Args:
        table: of ``figures.protocol_transfer.transfer_table``.
    """
    mean = table[table["ood"] == ""]
    pairs = mean[~mean["source"].isin([FIXED, RANDOM])]
    clear = int((pairs["loss_lo"] > 0).sum())
    most = pairs.loc[pairs["loss"].idxmax()]
    by_itself = [
        f"{words} {format_value(mean[mean['source'] == name]['loss'].mean())}"
        for name, words in ((FIXED, "the published cell"), (RANDOM, "a random cell"))
        if (mean["source"] == name).any()
    ]
    text = (
        f"Choosing by another backbone's map instead of the own loses AUROC clearly for **{clear} of "
        f"{counted(len(pairs), 'pair')}**, on average over the sets; most by the map of {most['source']} on "
        f"{most['target']}: {format_estimate(most['loss'], most['loss_lo'], most['loss_hi'])}"
    )
    return f"{text}. Beside it, {' and '.join(by_itself)} (means)." if by_itself else f"{text}."
