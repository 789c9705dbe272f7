"""Finding diagrams in the lines of a page, and making code blocks of them.

The forms are those of plantuml_markdown (``::uml::`` blocks, fences named uml,
plantuml or c4plantuml) and of markdown_inline_graphviz (``{% dot name.svg`` blocks,
fences that begin with ``graphviz``). Other code blocks are left alone: they may
show how a diagram is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Warn = Callable[[str], None]
"""Takes a message about the page whose lines are looked at."""

_FENCE = re.compile(r"(?P<indent>[ \t>]*)(?P<marks>`{3,}|~{3,})[ ]*(?P<info>[^`\n]*)$")
_UML = re.compile(r"\{?[ ]*\.?(?P<language>(?:(?:c4)?plant)?uml)\b")
_UML_BLOCK = re.compile(r"(?P<indent>[ \t>]*)::uml::")
_UML_BLOCK_END = re.compile(r"[ \t>]*::end-uml::[ ]*$")
_ENGINES = r"(?:dot|neato|fdp|sfdp|twopi|circo)\s+\S+\s*$"
_DOT_FENCE = re.compile(r"graphviz[ ]+" + _ENGINES)
_DOT_BLOCK = re.compile(r"\{%[ ]+" + _ENGINES)
_DOT_BLOCK_END = re.compile(r"(?P<last>.*?)%\}\s*$")
_SOURCE = re.compile(r"\bsource=[\"']")


class _DiagramsAsCode:
    """Walks over lines, leaves code blocks alone, and turns diagrams into code blocks."""

    language: str
    block_end: re.Pattern[str]

    def __init__(self, warn: Warn) -> None:
        """``warn`` gets the name of each diagram found."""
        self._warn = warn

    def run(self, lines: list[str]) -> list[str]:
        """Return the lines with every diagram as code."""
        result: list[str] = []
        rest = iter(lines)
        for line in rest:
            fence = _FENCE.match(line)
            indent = None if fence else self._block_indent(line)
            if fence:
                result.append(self._opening(fence, line))
                result.extend(_until_closed(rest, fence))
            elif indent is not None:
                result.extend(self._block_as_code(indent, rest))
            else:
                result.append(line)
        return result

    def _block_indent(self, line: str) -> str | None:
        """Return the indentation of a diagram's block that begins in a line, or None."""
        raise NotImplementedError

    def _fence_language(self, info: str) -> str:
        """Return the language of a fence that is a diagram, or the empty text."""
        raise NotImplementedError

    def _opening(self, fence: re.Match[str], line: str) -> str:
        language = self._fence_language(fence["info"]) if len(fence["marks"]) == 3 else ""
        if not language:
            return line
        self._warn(f"a diagram ({language})")
        return f"{fence['indent']}{fence['marks']}{language}"

    def _block_as_code(self, indent: str, rest: Iterator[str]) -> list[str]:
        self._warn(f"a diagram ({self.language})")
        inner: list[str] = []
        for line in rest:
            end = self.block_end.match(line)
            if end:
                inner.extend(text for text in end.groupdict().values() if text)
                break
            inner.append(line)
        longest = max((len(run) for line in inner for run in re.findall("`+", line)), default=0)
        marks = "`" * max(3, longest + 1)
        return [f"{indent}{marks}{self.language}", *inner, f"{indent}{marks}"]


class PlantUMLAsCode(_DiagramsAsCode):
    """Shows PlantUML as code."""

    language = "plantuml"
    block_end = _UML_BLOCK_END

    def _block_indent(self, line: str) -> str | None:
        found = _UML_BLOCK.match(line)
        return found["indent"] if found else None

    def _fence_language(self, info: str) -> str:
        found = _UML.match(info)
        return found["language"] if found else ""


class GraphvizAsCode(_DiagramsAsCode):
    """Shows Graphviz as code."""

    language = "dot"
    block_end = _DOT_BLOCK_END

    def run(self, lines: list[str]) -> list[str]:
        """Return the lines with every diagram as code."""
        text = "\n".join(super().run(lines))
        # What the extension does to every page, so that pages are the same with and without it.
        return text.replace("<svg", "<div><svg").replace("</svg>", "</svg></div>").split("\n")

    def _block_indent(self, line: str) -> str | None:
        return "" if _DOT_BLOCK.match(line) else None

    def _fence_language(self, info: str) -> str:
        return self.language if _DOT_FENCE.match(info) else ""


class SourceWatcher:
    """Warns of PlantUML diagrams that ask for a file, which they are not given."""

    def __init__(self, warn: Warn) -> None:
        """``warn`` gets what to write instead."""
        self._warn = warn

    def run(self, lines: list[str]) -> list[str]:
        """Return the lines as they are."""
        for line in lines:
            fence = _FENCE.match(line)
            is_diagram = _UML_BLOCK.match(line) or (fence and _UML.match(fence["info"]))
            if is_diagram and _SOURCE.search(line):
                self._warn("the 'source' of a diagram is not read; include the file with --8<-- inside of it")
        return lines


def _until_closed(rest: Iterator[str], fence: re.Match[str]) -> Iterator[str]:
    for line in rest:
        yield line
        found = _FENCE.match(line)
        if (
            found
            and not found["info"].strip()
            and found["marks"][0] == fence["marks"][0]
            and len(found["marks"]) >= len(fence["marks"])
        ):
            return
