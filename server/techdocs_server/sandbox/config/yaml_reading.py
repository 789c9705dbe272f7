"""YAML of strangers, read into nodes. Nothing is constructed but YAML's own plain types.

The whole document is walked as events first, which costs no more memory than its
text, and refused when it exceeds a bound; only then nodes are made. Aliases count
as often as they are used, so a small file cannot become a large one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

import yaml

from techdocs_server.sandbox.config.findings import ConfigProblem, Findings
from techdocs_server.sandbox.config.nodes import Entry, ListNode, MapNode, Node, Plain, Scalar, Tagged

# A navigation of 10,000 pages is about 600 KB and 30,000 nodes.
MAX_BYTES = 1024 * 1024
MAX_NODES = 100_000
MAX_DEPTH = 40
MAX_ALIASES = 1_000
_MAX_NUMBER_LENGTH = 100

_LOADER: type[yaml.SafeLoader] = cast("type[yaml.SafeLoader]", getattr(yaml, "CSafeLoader", yaml.SafeLoader))
_PREFIX = "tag:yaml.org,2002:"
_TEXTS = frozenset(_PREFIX + name for name in ("str", "value", "merge"))
_CONSTRUCTED = frozenset(_PREFIX + name for name in ("null", "bool", "int", "float", "timestamp"))
_MERGE = _PREFIX + "merge"


def read_yaml(content: bytes, *, file: str, findings: Findings) -> Node | None:
    """Return the document, or None for an empty one.

    Keys that stand twice are warned of, and the last one counts, as in MkDocs.
    Raises `ConfigProblem` for anything that is not one YAML document inside the
    bounds.
    """
    text = _decoded(content, file)
    try:
        _check_bounds(text, file)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise _syntax_problem(error, file) from error
    except yaml.YAMLError as error:
        raise ConfigProblem(f"{file} is not text that YAML allows: {error}", file=file) from error
    return None if root is None else _Converter(file, findings).node(root, depth=0)


def _decoded(content: bytes, file: str) -> str:
    if len(content) > MAX_BYTES:
        raise ConfigProblem(
            f"{file} has more than {MAX_BYTES} bytes",
            file=file,
            hint="let MkDocs make the navigation from the folders, or split the site",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigProblem(f"{file} is not UTF-8 text", file=file, line=line, hint="save it as UTF-8") from error


def _check_bounds(text: str, file: str) -> None:
    bounds = _Bounds(file)
    for event in yaml.parse(text, Loader=_LOADER):
        bounds.take(event)


class _Bounds:
    """Counts while events pass by."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._documents = self._nodes = self._depth = self._aliases = 0

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
        elif isinstance(event, yaml.NodeEvent):
            self._nodes += 1
            self._aliases += isinstance(event, yaml.AliasEvent)
            self._depth += isinstance(event, yaml.CollectionStartEvent)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._depth -= 1
        if excess := self._excess():
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise ConfigProblem(f"{self._file} {excess}", file=self._file, line=line)

    def _excess(self) -> str:
        if self._documents > 1:
            return "holds more than one document; keep the first and remove the line '---' and what follows"
        if self._nodes > MAX_NODES:
            return f"holds more than {MAX_NODES} values"
        if self._depth > MAX_DEPTH:
            return f"is nested more than {MAX_DEPTH} levels deep"
        return f"uses more than {MAX_ALIASES} aliases" if self._aliases > MAX_ALIASES else ""


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> ConfigProblem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    where = f'in "{file}", line {line}, column {column}'
    return ConfigProblem(
        f"{file} is not valid YAML: {error.problem or error.context or 'broken'} ({where})",
        file=file,
        line=line,
        hint="check the indentation around this line, and put texts that hold ': ' or ' #' in quotes",
    )


class _Converter:
    """Makes our nodes of PyYAML's. Aliases are followed, so what it makes is bounded here once more."""

    def __init__(self, file: str, findings: Findings) -> None:
        self._file = file
        self._findings = findings
        self._nodes = 0
        self._constructor = yaml.SafeLoader("")

    def node(self, node: yaml.Node, *, depth: int) -> Node:
        line = node.start_mark.line + 1
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._problem(f"holds more than {MAX_NODES} values once its aliases are followed", line)
        # An anchor may contain its own alias: there is no end to such a value.
        if depth > MAX_DEPTH:
            raise self._problem(f"is nested more than {MAX_DEPTH} levels deep once its aliases are followed", line)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, line)
        if isinstance(node, yaml.MappingNode):
            return self._untagged(node, "map", MapNode(tuple(self._entries(node, depth)), line))
        items = tuple(self.node(item, depth=depth + 1) for item in node.value)
        return self._untagged(node, "seq", ListNode(items, line))

    def _untagged(self, node: yaml.Node, kind: str, made: Node) -> Node:
        return made if node.tag == _PREFIX + kind else Tagged(_shown(node.tag), made, made.line)

    def _scalar(self, node: yaml.ScalarNode, line: int) -> Node:
        text: str = node.value
        if node.tag in _TEXTS:
            return Scalar(text, text, line)
        if node.tag not in _CONSTRUCTED:
            return Tagged(_shown(node.tag), Scalar(text, text, line), line)
        if len(text) > _MAX_NUMBER_LENGTH:
            raise self._problem(f"holds a number of more than {_MAX_NUMBER_LENGTH} characters", line)
        try:
            value = self._constructor.construct_object(node)
        except (ValueError, KeyError, OverflowError, AttributeError, yaml.YAMLError) as error:
            message = f"holds {text!r}, which is not a number or date; put it in quotes if it is text"
            raise self._problem(message, line) from error
        return Scalar(cast("Plain", value), text, line)

    def _entries(self, node: yaml.MappingNode, depth: int) -> Iterable[Entry]:
        merged: dict[Plain, Entry] = {}
        own: dict[Plain, Entry] = {}
        for key_node, value_node in node.value:
            value = self.node(value_node, depth=depth + 1)
            if key_node.tag == _MERGE:
                merged.update(self._merged(value))
                continue
            key = self.node(key_node, depth=depth + 1)
            if not isinstance(key, Scalar):
                raise self._problem("has a key that is not plain text", key.line)
            if key.value in own:
                self._warn(f"the key {key.text!r} stands twice in one place; the last one counts", key.line)
            own[key.value] = Entry(key, value)
        return (merged | own).values()

    def _merged(self, value: Node) -> Iterator[tuple[Plain, Entry]]:
        """Yield what a merge key brings; of several mappings the first wins, so it comes last."""
        mappings = reversed(value.items) if isinstance(value, ListNode) else [value]
        for mapping in mappings:
            if not isinstance(mapping, MapNode):
                raise self._problem("has a merge key '<<' without a mapping", value.line)
            yield from ((entry.key.value, entry) for entry in mapping.entries)

    def _warn(self, message: str, line: int) -> None:
        self._findings.add(message, file=self._file, line=line)

    def _problem(self, what: str, line: int) -> ConfigProblem:
        return ConfigProblem(f"{self._file} {what}", file=self._file, line=line)


def _shown(tag: str) -> str:
    return "!!" + tag.removeprefix(_PREFIX) if tag.startswith(_PREFIX) else tag
