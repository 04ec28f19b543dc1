"""The glossary on a page: a button that opens it, and terms that tell their meaning on hover."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Mapping

import streamlit as st

from cfs_explore.headlines.glossary import GLOSSARY, Word
from cfs_explore.ui.sidebar import escape

_HEIGHT_PX = 320


def show_words(key: str, first: Collection[str] = ()) -> None:
    """A button that opens all words.

    Args:
        key: of the button.
        first: terms that come before the others.
    """
    words = st.popover("Words", key=key, icon=":material/menu_book:", type="tertiary")
    with words, st.container(height=_HEIGHT_PX, border=False):
        if first:
            st.markdown(f"**In this step**\n\n{_listed(first)}\n\n**All words**")
        st.markdown(_listed([term for term in GLOSSARY if term not in first]))


def _listed(terms: Collection[str]) -> str:
    return "\n".join(
        f"- **{escape(term)}**: {escape(GLOSSARY[term].meaning)}{_formula(GLOSSARY[term])}" for term in terms
    )


def _formula(word: Word) -> str:
    return "" if word.theory is None else f" (theory {word.theory})"


def mark(text: str, words: Mapping[str, str]) -> str:
    """Plain text as HTML: ``**label**`` in bold; elsewhere the first mention of each term tells its meaning on hover.

    Args:
        text: not HTML; escaped here.
        words: how a term is written in the text -> its entry in the glossary.
    """
    left = dict(words)
    parts = text.split("**")
    return "".join(
        f"<b>{html.escape(part)}</b>" if i % 2 else _with_meanings(part, left) for i, part in enumerate(parts)
    )


def _with_meanings(text: str, left: dict[str, str]) -> str:
    """Mark the terms that are left, and take them away."""

    def explain(match: re.Match[str]) -> str:
        term = left.pop(match[0], None)
        if term is None:
            return match[0]
        return f'<abbr title="{html.escape(GLOSSARY[term].meaning)}">{match[0]}</abbr>'

    if not left:
        return html.escape(text)
    found = "|".join(re.escape(html.escape(each)) for each in sorted(left, key=len, reverse=True))
    return re.sub(rf"(?<!\w)(?:{found})(?!\w)", explain, html.escape(text))
