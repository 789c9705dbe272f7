"""What authors do to documentation between two builds: one function for each kind of edit."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping

from tests.reuse.configurations import CONFIG_EDITS
from tests.reuse.drafts import PLACES, TITLES, Draft, DraftPage, Pick, link_between
from tests.support.sites import PIXEL_PNG

Edit = Callable[[Draft, Pick], None]

HEADINGS = ("First", "Second", "First", "Third {#third}", "Größe", "With `code` & more", "HTML")
FRONT: tuple[tuple[str, object], ...] = (
    ("title", "Named in front"),
    ("title", "Other & <name>"),
    ("title", 7),
    ("title", None),
    ("hide", ["navigation"]),
    ("hide", ["toc", "footer", "path"]),
    ("description", "What it is about"),
    ("description", 'With "quotes" & more'),
    ("icon", "material/home"),
    ("icon", "material/school"),
    ("status", "new"),
    ("status", "deprecated"),
    ("subtitle", "Below the title"),
    ("template", "main.html"),
    ("template", "none-of-the-theme.html"),
    ("tags", ["a", "b"]),
    ("search", {"exclude": True}),
    ("date", datetime.date(2026, 1, 31)),
    ("at", datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)),
    ("comments", True),
    ("edit_url", "https://example.org/edit"),
)
RAW: tuple[str | bytes, ...] = (
    "",
    "\n\n",
    "---\ntitle: [broken\n---\n# Broken front matter\n",
    "---\n- a list\n---\n# List\n",
    "---\n---\n",
    "\ufeff# With a mark\n\nText.\n",
    "# Lines\r\n\r\nof another system\r\n",
    b"# Bytes \xff that are no text\n",
    "Setext\n======\n\nSecond\n------\n",
    "<h1>Markup</h1>\n\n<a href='index.md'>link</a> <img src='images/logo.png'>\n",
    "## Only a second level\n\n# Then the first\n",
)
BLOCKS = (
    '!!! note "Look"\n    Inside, HTML.\n',
    '??? tip\n    Hidden.\n',
    '=== "One"\n\n    1\n\n=== "Two"\n\n    2\n',
    "| a | b |\n|---|---|\n| 1 | HTML |\n",
    '``` python title="x.py" linenums="1" hl_lines="1"\nprint("HTML")  # (1)!\n```\n\n1. Note.\n',
    "```yaml\na: 1\n```\n",
    "A claim[^1] and [^two].\n\n[^1]: Source.\n[^two]: Other [first](#first).\n",
    "*[HTML]: Markup\n",
    "[TOC]\n",
    ":smile: :material-home: :our-mark: ==x== H~2~O (c)\n",
    "```plantuml\n@startuml\nA -> B\n@enduml\n```\n",
    "{% dot a.svg\ndigraph { a -> b }\n%}\n",
    "- [x] done\n- [ ] open\n",
    "> [!WARNING]\n> From elsewhere.\n",
    "{--old--}{++new++} https://example.org/x #7\n",
    "<div markdown>\n**In** markup.\n</div>\n",
    "Plain `HTML` words, {{ config.site_name }}.\n",
    "--8<-- \"mkdocs.yml\"\n",
    "--8<-- \"docs/includes/shared.md.txt\"\n",
    "--8<-- \"docs/includes/later.md.txt\"\n",
    "--8<-- \"docs/guides/guide.md\"\n",
    "--8<--\ndocs/includes/shared.md.txt\n; docs/includes/later.md.txt\n--8<--\n",
    "```\n--8<-- \"includes/abbreviations.md\"\n```\n",
    "![own][logo]\n\n[logo]: /images/logo.png\n",
)  # fmt: skip


def write(draft: Draft, pick: Pick) -> None:
    """Add a sentence."""
    draft.page(pick)[1].blocks.append(f"Sentence {pick.number(1000)}.")


def write_block(draft: Draft, pick: Pick) -> None:
    """Add markup."""
    draft.page(pick)[1].blocks.append(pick.of(BLOCKS))


def drop_block(draft: Draft, pick: Pick) -> None:
    """Take something away."""
    page = draft.page(pick)[1]
    if page.blocks:
        page.blocks.pop(pick.number(len(page.blocks)))


def link(draft: Draft, pick: Pick) -> None:
    """Link to a page that may be there, or to a heading that may be."""
    path, page = draft.page(pick)
    target = pick.of(sorted(draft.pages)) if pick.number(3) else pick.of(PLACES)
    anchor = pick.of(("", "#first", "#second", "#third", "#first_1", "#none", "?q=1#first", "#größe"))
    forms = (
        "[to]({relative}{anchor})", "[to](/{path}{anchor})", "<a href='{relative}{anchor}'>to</a>", "[to]({anchor})",
        "[to][r]\n\n[r]: {relative}{anchor}", "[to]({relative}{anchor})", "[to]({bare}/{anchor})",
    )  # fmt: skip
    relative = link_between(path, target)
    text = pick.of(forms).format(relative=relative, path=target, anchor=anchor, bare=relative.removesuffix(".md"))
    page.blocks.append(text)


def picture(draft: Draft, pick: Pick) -> None:
    """Show a picture that may be there."""
    path, page = draft.page(pick)
    asset = pick.of((*sorted(draft.assets), "images/none.png", "images/new.png"))
    page.blocks.append(f"![a picture]({link_between(path, asset)}) [file]({link_between(path, asset)})")


def heading(draft: Draft, pick: Pick) -> None:
    """Add a heading, perhaps one that is there already."""
    draft.page(pick)[1].blocks.append(f"{'#' * (1 + pick.number(4))} {pick.of(HEADINGS)}")


def rename_heading(draft: Draft, pick: Pick) -> None:
    """Change a heading that others may link to."""
    page = draft.page(pick)[1]
    places = [number for number, block in enumerate(page.blocks) if block.startswith("#")]
    if places:
        page.blocks[pick.of(places)] = f"## {pick.of(HEADINGS)}"


def retitle(draft: Draft, pick: Pick) -> None:
    """Change the title that navigation shows."""
    draft.page(pick)[1].title = pick.of((*TITLES, None))


def front(draft: Draft, pick: Pick) -> None:
    """Set front matter."""
    name, value = pick.of(FRONT)
    draft.page(pick)[1].front[name] = value


def drop_front(draft: Draft, pick: Pick) -> None:
    """Remove front matter."""
    page = draft.page(pick)[1]
    if page.front:
        page.front.pop(pick.of(sorted(page.front)))


def raw(draft: Draft, pick: Pick) -> None:
    """Make a whole page something odd, or an ordinary one again."""
    page = draft.page(pick)[1]
    page.raw = pick.of(RAW) if page.raw is None else None


def add(draft: Draft, pick: Pick) -> None:
    """Add a page."""
    draft.pages[pick.of(PLACES)] = DraftPage(pick.of((*TITLES, None)), blocks=["New.", "## First", "Text."])


def delete(draft: Draft, pick: Pick) -> None:
    """Delete a page."""
    if len(draft.pages) > 1:
        del draft.pages[draft.page(pick)[0]]


def move(draft: Draft, pick: Pick) -> None:
    """Give a page another place; what was there is gone."""
    path, page = draft.page(pick)
    del draft.pages[path]
    draft.pages[pick.of(PLACES)] = page


def change_case(draft: Draft, pick: Pick) -> None:
    """Write a file name in capitals, or in small letters again."""
    path, page = draft.page(pick)
    folder, _, name = path.rpartition("/")
    del draft.pages[path]
    stem = name.removesuffix(".md")
    draft.pages[f"{folder}/{stem.swapcase()}.md".lstrip("/")] = page


def swap(draft: Draft, pick: Pick) -> None:
    """Let two pages change places."""
    (one, first), (other, second) = draft.page(pick), draft.page(pick)
    draft.pages[one], draft.pages[other] = second, first


def copy(draft: Draft, pick: Pick) -> None:
    """Have the same page twice."""
    page = draft.page(pick)[1]
    draft.pages[pick.of(PLACES)] = DraftPage(page.title, dict(page.front), list(page.blocks), page.raw)


ASSETS = (
    "images/logo.png", "images/new.png", "includes/shared.md.txt", "includes/later.md.txt", "icons/our/mark.svg",
    "extra.css", "guides/index.html", "guide/index.html", "404.html", "sitemap.xml", "search/search_index.json",
    "assets/stylesheets/own.css", "old/index.html", "techdocs_metadata.json", ".hidden.txt", "robots.txt",
)  # fmt: skip


def asset(draft: Draft, pick: Pick) -> None:
    """Add or change a file that is no page, perhaps where a page or the theme writes too."""
    path = pick.of(ASSETS)
    number = pick.number(50)
    if path.endswith(".png"):
        draft.assets[path] = PIXEL_PNG + bytes([number])
    elif path.endswith(".svg"):
        draft.assets[path] = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number} 1"><path d="M0 0h1"/></svg>\n'
        )
    else:
        draft.assets[path] = f"Shared {number}, HTML, [a page](guide.md#first).\n"


def delete_asset(draft: Draft, pick: Pick) -> None:
    """Delete a file that is no page."""
    if draft.assets:
        del draft.assets[pick.of(sorted(draft.assets))]


def outside(draft: Draft, pick: Pick) -> None:
    """Change or remove a file beside docs that pages take in."""
    path = pick.of(("includes/abbreviations.md", "README.md"))
    if pick.number(5):
        draft.others[path] = f"*[HTML]: Meaning {pick.number(9)}\n*[claim]: x\n"
    else:
        draft.others.pop(path, None)


def included_site(draft: Draft, pick: Pick) -> None:
    """Change a site that the navigation may include."""
    name = pick.of(("billing", "billing", "Big Billing", "teams/billing"))
    draft.others["billing/mkdocs.yml"] = f"site_name: {name}\nnav:\n  - Start: index.md\n  - more.md\n"
    draft.others["billing/docs/index.md"] = f"# {pick.of(TITLES)}\n\n[More](more.md#first) [up](../index.md)\n"
    draft.others["billing/docs/more.md"] = f"# More\n\n## {pick.of(HEADINGS)}\n\nText {pick.number(9)}.\n"
    draft.others["billing/docs/x.png"] = PIXEL_PNG + bytes([pick.number(3)])


def nothing(draft: Draft, pick: Pick) -> None:
    """Leave everything as it is."""


CONTENT_EDITS: Mapping[str, Edit] = {
    edit.__name__: edit
    for edit in (
        write, write_block, drop_block, link, picture, heading, rename_heading, retitle, front, drop_front, raw, add, delete,
        move, change_case, swap, copy, asset, delete_asset, outside, included_site, nothing,
    )
}  # fmt: skip
EDITS: Mapping[str, Edit] = {**CONTENT_EDITS, **CONFIG_EDITS}
