"""How an OpenAPI document writes a path template.

OpenAPI has one kind of path parameter: a single segment with a name. A variable
takes the last component of its field path as name; a wildcard after a
collection, as in ``{name=builds/*}``, takes the singular of the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain, count
from typing import NamedTuple


class PathParameter(NamedTuple):
    """One ``{name}`` of an OpenAPI path."""

    name: str
    field_path: str
    """Field of the request it belongs to; empty when the value is matched and dropped."""
    is_whole_value: bool
    """Whether it is all of the field's value, and not one segment inside it."""
    prefix: str
    """What stands before it in the field's value when it is the rest of that value; else empty."""
    is_open: bool
    """Whether it stands for any number of segments, which OpenAPI cannot say."""


class OpenAPIPath(NamedTuple):
    """A path such as ``/docs/{namespace}/{kind}/{name}/{path}`` and its parameters, in order."""

    path: str
    parameters: tuple[PathParameter, ...]


def openapi_path(
    segments: Sequence[str], wildcards: Sequence[int], captures: Sequence[tuple[str, int, int | None]], verb: str
) -> OpenAPIPath:
    """Write a parsed template for OpenAPI. Parameter names are unique within the path."""
    written = list(segments)
    parameters: dict[str, PathParameter] = {}
    for at in wildcards:
        parameter = _parameter(at, segments, captures, taken=parameters.keys())
        parameters[parameter.name] = parameter
        written[at] = f"{{{parameter.name}}}"
    path = "/" + "/".join(written) + (f":{verb}" if verb else "")
    return OpenAPIPath(path, tuple(parameters.values()))


def _parameter(
    at: int, segments: Sequence[str], captures: Sequence[tuple[str, int, int | None]], *, taken: Collection[str]
) -> PathParameter:
    field_path, start, stop = next(
        (found for found in captures if found[1] <= at and (found[2] is None or at < found[2])), ("", at, at + 1)
    )
    end = len(segments) if stop is None else stop
    is_whole_value = bool(field_path) and end - start == 1
    collection = segments[at - 1] if at > start else ""
    if is_whole_value:
        candidates = [field_path.rpartition(".")[2], field_path]
    else:
        candidates = [_singular(collection), field_path.rpartition(".")[2], "segment"]
    leading = segments[start:at]
    prefix = "".join(f"{text}/" for text in leading) if at == end - 1 and not {"*", "**"} & {*leading} else ""
    return PathParameter(_first_free(candidates, taken), field_path, is_whole_value, prefix, segments[at] == "**")


def _singular(collection: str) -> str:
    """Return ``build`` for ``builds``; AIP-122 asks for plural collections. Empty when there is none."""
    if not collection.isidentifier():
        return ""
    if collection.endswith("ies"):
        return collection.removesuffix("ies") + "y"
    return collection.removesuffix("s")


def _first_free(candidates: Sequence[str], taken: Collection[str]) -> str:
    usable = [candidate for candidate in candidates if candidate]
    numbered = (f"{usable[-1]}{number}" for number in count(2))
    return next(name for name in chain(usable, numbered) if name not in taken)
