"""YAML that holds what JSON can hold: texts, numbers, true, false, null, lists, and mappings from texts.

A date is a text here, so that what a person wrote can be passed on, stored and written again as it was.
"""

from __future__ import annotations

from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_PLAIN = [f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")]
_MERGE = f"{_TAG}merge"


class _PlainLoader(yaml.SafeLoader):
    """Knows no other kinds of values; a tag that asks for one is an error at its line."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the library has it
        first: [pair for pair in pairs if pair[0] in (*_PLAIN, _MERGE)]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors = {tag: yaml.SafeLoader.yaml_constructors[tag] for tag in (*_PLAIN, None)}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:
        """A mapping whose keys are texts."""
        found = super().construct_mapping(node, deep)
        wrong = next((key for key in found if not isinstance(key, str)), None)
        if wrong is not None or None in found:
            problem = f"the key {wrong!r} is not text; put it in quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return found


def load(text: str) -> Any:
    """The value that a YAML text holds.

    Raises:
        yaml.YAMLError: it is not YAML, or holds another kind of value.
    """
    try:
        return yaml.load(text, Loader=_PlainLoader)
    except yaml.YAMLError:
        raise
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise yaml.YAMLError(str(error)) from error
