"""Facts about a backbone, asked of a subprocess so that torch never loads in the app's process."""

from __future__ import annotations

import json
import subprocess
import sys

import streamlit as st

from cfs_explore.errors import BackboneError
from cfs_explore.spec import BackboneSpec

_PATIENCE_SECONDS = 300


#: What takes the time; callers show it.
LOADING = "Loading the backbone and timing it on this machine"


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs={BackboneSpec: BackboneSpec.model_dump_json})
def inspect_backbone(spec: BackboneSpec) -> dict:
    """What ``cfs-explore inspect --json`` says.

    Raises:
        BackboneError: with the message of the command.
    """
    command = [sys.executable, "-m", "cfs_explore", "inspect", "--json", spec.path]
    for name, value in spec.options().items():
        if value is not None:
            command += [f"--{name}", str(value)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise BackboneError(f"{spec.path} did not load within {_PATIENCE_SECONDS} s.") from error
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise BackboneError(last[0].removeprefix("cfs-explore: "))
    return json.loads(done.stdout.strip().splitlines()[-1])
