"""A visitor without a browser for ``reliability_sessions.py``: asks for pages as Streamlit's browser code does.

Real visitors draw their pages on computers of their own; eight browsers beside the server on one computer take most of
what they wait for themselves. This one costs next to nothing, so that the server's own part can be measured.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

#: Seconds after which a page is given up.
_LONG = 60.0


async def read_pages(
    url: str, run: str, pages: Sequence[str], until: float, seed: int, reading: tuple[float, float]
) -> list[tuple[str, float]]:
    """Page after page of one exploration, each looked at for some seconds, half of them in a new session.

    Args:
        url: of the server.
        run: the exploration.
        pages: to choose from.
        until: ``time.monotonic()`` of the end.
        seed: of the choices.
        reading: shortest and longest seconds between pages.

    Returns:
        Page and seconds from the question to the last byte of the answer.
    """
    rng, answers = random.Random(seed), []
    stream = url.replace("http", "ws") + "/_stcore/stream"
    while time.monotonic() < until:
        async with connect(stream, subprotocols=["streamlit"], max_size=None) as socket:
            while time.monotonic() < until:
                page = rng.choice(pages)
                since = time.perf_counter()
                await asyncio.wait_for(_ask(socket, page, run), _LONG)
                answers.append((page, time.perf_counter() - since))
                await asyncio.sleep(rng.uniform(*reading))
                if rng.random() < 0.5:
                    break
    return answers


async def _ask(socket, page: str, run: str) -> None:
    """Send the question, read the whole answer.

    Raises:
        RuntimeError: the page failed.
    """
    question = BackMsg()
    question.rerun_script.query_string = f"run={run}"
    question.rerun_script.page_name = page
    await socket.send(question.SerializeToString())
    charts = 0
    async for data in socket:
        answer = ForwardMsg.FromString(data)
        if answer.WhichOneof("type") == "script_finished":
            if answer.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY and charts:
                return
            if answer.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                raise RuntimeError(f"the page {page} ended as {answer.script_finished}, with {charts} charts")
        kind = answer.delta.new_element.WhichOneof("type")
        charts += kind == "plotly_chart"
        if kind == "exception":
            raise RuntimeError(f"the page {page} shows {answer.delta.new_element.exception.message}")
