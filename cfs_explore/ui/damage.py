"""Where a page's files are damaged, the page says so in their place, and the app goes on."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator

import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.ui.sidebar import escape


@contextlib.contextmanager
def show_errors() -> Iterator[None]:
    """Around a page or a part of one: what cannot be read is shown there as an error."""
    try:
        yield
    except CFSError as error:
        st.error(escape(str(error)))


def fragment(function: Callable | None = None, *, run_every: float | None = None) -> Callable:
    """``st.fragment`` that shows what it cannot read as an error, also when it runs again alone."""
    if function is None:
        return functools.partial(fragment, run_every=run_every)

    @functools.wraps(function)
    def shown(*arguments, **options):
        with show_errors():
            return function(*arguments, **options)

    return st.fragment(shown, run_every=run_every)
