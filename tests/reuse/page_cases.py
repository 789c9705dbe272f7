"""Scripts that edit pages and the files they use."""

from __future__ import annotations

from tests.support.edit_case import START, Case
from tests.support.sites import PIXEL_PNG

_ALONE = "docs/alone.md"
_RUN = "docs/guides/run.md"
_STOP = "docs/guides/stop.md"


def _with_meta(*lines: str, text: str = "# Alone\n\nText.\n") -> dict[str, str]:
    return {_ALONE: "\n".join(["---", *lines, "---", text])}


PAGES = [
    Case("nothing", [{}, {}]),
    Case("text", [{_ALONE: "# Alone\n\nOther text.\n"}, {_ALONE: "# Alone\n\nOther text!\n"}, {_ALONE: START[_ALONE]}]),
    Case("add", [{"docs/guides/new.md": "# New\n\n[Run](run.md)\n"}, {"docs/first.md": "no heading\n"}]),
    Case("delete", [{_STOP: None}, {"docs/guides/deep/one.md": None, "docs/guides/deep/two.md": None}]),
    Case("rename", [{_STOP: None, "docs/guides/halt.md": START[_STOP]}, {_STOP: START[_STOP], "docs/guides/halt.md": None}]),
    Case("move", [{_RUN: None, "docs/run.md": START[_RUN]}, {"docs/run.md": None, "docs/guides/deep/run.md": START[_RUN]}]),
    Case("case of a name", [{_STOP: None, "docs/guides/Stop.md": START[_STOP]}, {_STOP: "# Other\n"}, {"docs/guides/Stop.md": None}]),
    Case("both become one", [{"docs/index.md": START[_ALONE], _ALONE: START["docs/index.md"]}]),
    Case("empty", [{_ALONE: ""}, {_ALONE: "---\n---\n"}, {_ALONE: " \n"}, {_ALONE: "# Back\n"}]),
    Case("headings alike", [{_ALONE: "# Alone\n## A\n## A\n### A\n"}, {_ALONE: "# Alone\n## A\n### A\n## A\n"}]),
    Case("title", [{_RUN: "# Run fast\n"}, {_RUN: "No heading.\n"}, {_RUN: "---\ntitle: Given\n---\n# Run\n"}]),
    Case("title of the front page", [{"docs/index.md": "# Other\n"}, {"docs/index.md": "none\n"}, {"docs/index.md": None}]),
    Case("neighbours", [{"docs/guides/s.md": "# Between\n"}, {"docs/guides/s.md": None}]),
    Case("special characters", [{_ALONE: "# A < B & \"C\" `d` *e*\n\n\u2028 \U0001f600 &lt;\n"}, {_ALONE: "# 文档\n"}]),
    Case("markdown of all kinds", [
        {_ALONE: "# Alone\n\nHTML is[^1] short.\n\n*[HTML]: Hyper Text\n\n[^1]: Note.\n"},
        {_STOP: "# Stop\n\nHTML is[^1] long.\n\n*[HTML]: Hypertext\n\n[^1]: Other.\n[^2]: Never used.\n"},
        {_RUN: '# Run\n\n=== "A"\n\n    a\n\n=== "B"\n\n    b\n\n!!! note\n    [x]\n\n??? tip\n    :smile:\n\n> [!NOTE]\n> n\n'},
        {_RUN: "# Run\n\n<h2 id=raw>raw</h2>\n\n- [x] done\n\n| a |\n|---|\n| b |\n\n==m== H~2~O 1/2 -->\n"},
    ]),
    Case("bytes", [{_ALONE: b"\xef\xbb\xbf# With a mark\n"}, {_ALONE: b"# Lines\r\n\r\nend\r\n"}, {_ALONE: b"\xff\xfe"}, {_ALONE: b"# OK\n"}]),
    Case("a page and its folder", [
        {"docs/alone/index.md": "# Same place\n"}, {_ALONE: "# Alone\n\nChanged.\n"}, {"docs/zeta.md": "# Z\n"},
        {"docs/alone/index.md": None}, {"docs/alone/index.md": "# Again\n"}, {_ALONE: None},
    ]),
    Case("README beside index", [{"docs/guides/README.md": "# Read me\n"}, {"docs/guides/index.md": None}, {"docs/guides/README.md": None}]),
]  # fmt: skip

META = [
    Case("hide", [_with_meta("hide: [navigation]"), _with_meta("hide: [toc, navigation]"), _with_meta("hide: []")]),
    Case("description", [_with_meta("description: One"), _with_meta("description: Two")]),
    Case("template", [_with_meta("template: home.html"), _with_meta("template: main.html"), _with_meta("template: 404.html")]),
    Case("template that is none", [_with_meta("template: ../x.html"), {_RUN: "# Run\n\nMore.\n"}, {_RUN: "# Walk\n"}]),
    Case("icon", [_with_meta("icon: material/book"), _with_meta("icon: material/car"), _with_meta("icon: ''")]),
    Case("status", [_with_meta("status: new"), _with_meta("status: deprecated"), _with_meta("a: b")]),
    Case("subtitle", [_with_meta("subtitle: One"), _with_meta("subtitle: [2]"), _with_meta("subtitle: {b: 1, a: 2}"), _with_meta("subtitle: {a: 2, b: 1}")]),
    Case("dates", [_with_meta("date: 2024-01-02", "at: 2024-01-02T03:04:05+02:00"), {_RUN: "# R\n"}, _with_meta("title: 2024-01-02"), {_RUN: "# S\n"}]),
    Case("titles of other types", [_with_meta("title: 7"), {_RUN: "# R\n"}, _with_meta("title: true"), {_RUN: "# S\n"}, _with_meta("title: [a, b]"), {_RUN: "# T\n"}]),
    Case("not plain data", [_with_meta("set: !!set {a, b}", "bytes: !!binary aGk="), {_RUN: "# R\n"}, _with_meta("1: {2: [.nan, .inf]}"), {_RUN: "# S\n"}]),
    Case("broken front matter", [_with_meta("a: [b"), {_RUN: "# R\n"}, _with_meta("- a"), _with_meta("a: &x [*x]"), {_RUN: "# S\n"}]),
    Case("no index entry", [_with_meta("search: {exclude: true}"), _with_meta("search: {boost: 2}"), _with_meta("tags: [a]")]),
    Case("author and revision", [_with_meta("author: A", "revision_date: today"), {_RUN: "# R\n"}]),
]  # fmt: skip

LINKS = [
    Case("target goes and comes", [{_STOP: None}, {_STOP: START[_STOP]}]),
    Case("anchor goes and comes", [{_STOP: "# Stop\n"}, {_ALONE: "# Alone\n\nx\n"}, {_STOP: "# Stop\n\n## How\n"}, {_STOP: "# Stop\n\n<a id=how></a>\n"}]),
    Case("link that guesses", [{_ALONE: "# A\n\n[x](guides/run) [y](guides/run/) [z](later) [w](/zeta.md)\n"}, {"docs/later.md": "# L\n"}, {"docs/later.md": None, "docs/later/index.md": "# L\n"}, {_RUN: None}]),
    Case("link to a folder's file", [{_ALONE: "# A\n\n[x](files/data.csv) [y](files/none.csv) [z](files)\n"}, {"docs/files/none.csv": "x"}, {"docs/files/data.csv": None}]),
    Case("link to itself", [{_ALONE: "# A\n\n[x](#none) [y](alone.md#a) [z](.) [w](#fnref:1)\n"}, {_STOP: "# S\n"}]),
    Case("target becomes an asset", [{_ALONE: "# A\n\n[x](thing.html)\n"}, {"docs/thing.html": "<p>"}, {"docs/thing.html": None, "docs/thing.md": "# T\n"}]),
    Case("absolute addresses", [{_ALONE: "# A\n\n[x](/guides/run/) [y](https://example.com) [z](mailto:a@example.com) <a@example.com>\n"}, {_STOP: "# S\n"}]),
    Case("warnings repeat", [{_ALONE: "# A\n\n[x](no.md) [y](no.md) [z](alone.md#no)\n", _STOP: "# S\n\n[x](no.md)\n"}, {_RUN: "# R\n"}, {"docs/no.md": "# N\n"}]),
    Case("diagrams", [{_ALONE: "# A\n\n```plantuml\na -> b\n```\n\n```graphviz dot x.svg\ndigraph {}\n```\n"}, {_RUN: "# R\n"}, {_RUN: "# R\n\nx\n"}]),
]  # fmt: skip

_INCLUDES = {_ALONE: '# Alone\n\n--8<-- "docs/part.txt"\n\n--8<-- "docs/later.txt"\n', "docs/part.txt": "Part one.\n"}
FILES = [
    Case("snippet", [{"docs/part.txt": "Part two.\n"}, {"docs/later.txt": "Later.\n"}, {"docs/part.txt": None}, {"docs/later.txt": None}], more=_INCLUDES),
    Case("snippet in a snippet", [{"docs/inner.txt": "I\n"}, {"docs/inner.txt": "J\n"}, {"docs/part.txt": "P\n"}], more={**_INCLUDES, "docs/part.txt": '--8<-- "docs/inner.txt"\n'}),
    Case("snippet that is a page", [{_STOP: "# Halt\n\n[x](run.md)\n"}, {_STOP: None}], more={_ALONE: '# A\n\n--8<-- "docs/guides/stop.md"\n'}),
    Case("snippet with a link", [{"docs/part.txt": "[x](zeta.md) [y](none.md)\n"}, {"docs/none.md": "# N\n"}], more=_INCLUDES),
    Case("snippet outside of docs", [{"other/x.txt": "two\n"}, {"other/x.txt": None}, {"x.txt": "three\n"}], more={_ALONE: '# A\n\n--8<-- "other/x.txt"\n\n--8<-- "x.txt"\n', "other/x.txt": "one\n"}),
    Case("snippet by lines and sections", [{"docs/part.txt": "1\n2\n3\n"}, {"docs/part.txt": "# --8<-- [start:a]\nx\n# --8<-- [end:a]\n"}], more={_ALONE: '# A\n\n--8<-- "docs/part.txt:2:3"\n\n--8<-- "docs/part.txt:a"\n', "docs/part.txt": "a\n"}),
    Case("image", [{"docs/images/dot.png": PIXEL_PNG + b"1"}, {"docs/images/dot.png": None}, {"docs/images/dot.png": PIXEL_PNG}]),
    Case("assets", [{"docs/files/data.csv": "c\n"}, {"docs/files/more.csv": ""}, {"docs/files/data.csv": None}, {"docs/files/data.csv/in.txt": "a folder now\n"}]),
    Case("asset of the theme's name", [{"docs/assets/images/favicon.png": b"mine"}, {"docs/assets/images/favicon.png": b"other"}, {"docs/assets/images/favicon.png": None}]),
    Case("asset where a page is", [{"docs/alone/index.html": "<p>asset"}, {_RUN: "# R\n"}, {_ALONE: None}, {_RUN: "# S\n"}, {_ALONE: START[_ALONE]}, {"docs/alone/index.html": None}]),
    Case("asset where MkDocs writes", [{"docs/404.html": "<p>", "docs/sitemap.xml": "x", "docs/search/search_index.json": "{}"}, {_ALONE: "# Alone\n\nn\n"}, {"docs/404.html": None, "docs/sitemap.xml": None, "docs/search/search_index.json": None}]),
    Case("names", [{"docs/größe/seite eins.md": "# Eins\n", "docs/a'b\"c&d.txt": "x", "docs/%20.md": "# P\n"}, {_ALONE: "# Alone\n\nn\n"}, {"docs/größe/seite eins.md": "# Zwei\n"}]),
    Case("line break in a name", [{"docs/a\nb.txt": "x"}, {_ALONE: "# Alone\n\nn\n"}, {_ALONE: "# Alone\n\nm\n"}]),
    Case("hidden files", [{"docs/.hidden.md": "# H\n", "docs/_part.md": "# P\n"}, {"docs/.hidden.md": None, "docs/hidden.md": "# H\n"}]),
]  # fmt: skip

CASES = [*PAGES, *META, *LINKS, *FILES]
