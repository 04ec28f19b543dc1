"""What the probe page's film holds."""

import json


def films(app) -> list[dict]:
    """What the browser plays."""
    protos = [each.proto for each in app.get("bidi_component")]
    return [json.loads(proto.json) for proto in protos if proto.component_name == "cfs_probe_film"]


def film(app) -> dict:
    """The only one."""
    (found,) = films(app)
    return found
