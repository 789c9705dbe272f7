"""Documentation of any size to measure with: ``python -m benchmarks.corpus --pages 450 FOLDER``.

The same size gives the same bytes everywhere. A page has 5 to 8 KB of Markdown with
what documentation of services holds: prose, code, tables, admonitions, tabs,
lists, pictures, and links to headings of pages near and far. Pages lie in folders
three levels deep; the whole navigation is on every page, so that a build takes
longer per page the larger the site is.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.support.sites import PIXEL_PNG, write_files

PAGES_PER_FOLDER = 12
FOLDERS_PER_SECTION = 8
_LEAST_CHARACTERS, _MOST_CHARACTERS = 5000, 8000
ENTITY_NAME = "corpus"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_SUBJECTS = _words(
    "invoices payments refunds ledger accounts sessions tokens devices catalog search orders shipping stock pricing "
    "alerts metrics traces deploys backups migrations queues workers webhooks exports imports reports audits quotas"
)
_VERBS = _words(
    "accept archive batch cache check cancel compare drain encode expire index limit merge move notify park"
)
_WORDS = _words(
    "the a of and to service request answer queue worker record value when after before each only never always caller "
    "team region cluster database index field limit error retry deadline message order account token key batch stream "
    "reader writer page file folder version release change review test number second minute hour day result reason"
)
_EMOJI = (":rocket:", ":warning:", ":white_check_mark:", ":bulb:", ":memo:")
_KINDS = ("note", "tip", "warning", "danger", "info", "example")


@dataclass(frozen=True)
class Corpus:
    """The documentation of a site with a number of pages. With ``nav``, mkdocs.yml lists every page."""

    pages: int
    nav: bool = False

    @property
    def sources(self) -> Sequence[str]:
        """Every page by its path below docs."""
        return [self.source(number) for number in range(self.pages)]

    def source(self, number: int) -> str:
        """Return where a page lies."""
        if number == 0:
            return "index.md"
        folder, place = divmod(number - 1, PAGES_PER_FOLDER)
        section, below = divmod(folder, FOLDERS_PER_SECTION)
        name = "index" if place == 0 else f"{_VERBS[place]}-{_SUBJECTS[number % len(_SUBJECTS)]}-{number}"
        return f"{_SUBJECTS[section % 28]}-{section}/{_SUBJECTS[(folder * 5) % 28]}-{below}/{name}.md"

    def text(self, number: int) -> str:
        """Return the Markdown of a page."""
        return _Writing(self, number).page()

    def files(self) -> dict[str, str | bytes]:
        """Return the whole source, by paths from its root."""
        pages: dict[str, str | bytes] = {f"docs/{self.source(n)}": self.text(n) for n in range(self.pages)}
        return {
            "mkdocs.yml": self.configuration(),
            "catalog-info.yaml": yaml.safe_dump(_ENTITY, sort_keys=False),
            **pages,
            **{f"docs/images/figure-{number}.png": PIXEL_PNG + bytes([number]) for number in range(8)},
        }

    def configuration(self) -> str:
        """Return mkdocs.yml."""
        document: dict[str, object] = {
            "site_name": f"Handbook of {self.pages} pages",
            "site_description": "How the services work",
            "plugins": ["techdocs-core"],
        }
        if self.nav:
            document["nav"] = self._navigation()
        return yaml.safe_dump(document, sort_keys=False)

    def write(self, folder: Path) -> Path:
        """Write the source below a folder and return the folder."""
        return write_files(folder, self.files())

    def _navigation(self) -> list[object]:
        sections: dict[str, dict[str, list[object]]] = {}
        for source in self.sources[1:]:
            section, below, _ = source.split("/")
            sections.setdefault(section, {}).setdefault(below, []).append(source)
        nested = [{name: [{below: pages} for below, pages in inner.items()]} for name, inner in sections.items()]
        return [{"Home": "index.md"}, *nested]


_ENTITY = {
    "apiVersion": "backstage.io/v1alpha1",
    "kind": "Component",
    "metadata": {"name": ENTITY_NAME, "annotations": {"backstage.io/techdocs-ref": "dir:."}},
    "spec": {"type": "service", "owner": "team-a", "lifecycle": "production"},
}


def heading(number: int, section: int) -> str:
    """Return the heading of a page's section; its anchor is the same in lower case with hyphens."""
    return f"{_VERBS[(number + section) % len(_VERBS)]} {_SUBJECTS[(number * 3 + section) % len(_SUBJECTS)]} {section}"


class _Writing:
    """Writes one page."""

    def __init__(self, corpus: Corpus, number: int) -> None:
        self._corpus = corpus
        self._number = number
        self._random = random.Random(number)  # noqa: S311 - the same text each time is the point
        self._source = corpus.source(number)

    def page(self) -> str:
        wanted = self._random.randint(_LEAST_CHARACTERS, _MOST_CHARACTERS)
        subject = _SUBJECTS[self._number % len(_SUBJECTS)]
        parts = [f"# {self._verb().capitalize()} {subject} ({self._number})", self._prose(3), self._links()]
        pieces = self._pieces()
        section = 0
        while sum(map(len, parts)) < wanted:
            parts += [f"## {heading(self._number, section)}", self._prose(3)]
            parts += [pieces[(section * 2 + extra + self._number) % len(pieces)]() for extra in range(2)]
            section += 1
        return "\n\n".join(parts) + "\n"

    def _pieces(self) -> Sequence[Callable[[], str]]:
        return (
            self._python, self._table, self._admonition, self._links, self._shell, self._list, self._tabs, self._yaml,
            self._picture, self._details,
        )  # fmt: skip

    def _verb(self) -> str:
        return self._random.choice(_VERBS)

    def _words(self, count: int) -> str:
        return " ".join(self._random.choice(_WORDS) for _ in range(count))

    def _sentence(self) -> str:
        words = self._words(self._random.randint(8, 18))
        marked = self._random.choice(
            ("", "", f" `{self._verb()}_{self._random.choice(_SUBJECTS)}()`", " *now*", " **only**")
        )
        emoji = f" {self._random.choice(_EMOJI)}" if self._random.random() < 0.05 else ""
        return f"{words.capitalize()}{marked}{emoji}."

    def _prose(self, sentences: int) -> str:
        return " ".join(self._sentence() for _ in range(sentences))

    def _links(self) -> str:
        return "See " + ", ".join(self._link() for _ in range(3)) + "."

    def _link(self) -> str:
        # Most links stay near; every page has its first section.
        near = self._number + self._random.randint(-6, 6)
        far = self._random.randrange(self._corpus.pages)
        target = min(max(near if self._random.random() < 0.8 else far, 0), self._corpus.pages - 1)
        anchor = heading(target, 0).replace(" ", "-")
        path = self._corpus.source(target)
        up = "../" * self._source.count("/")
        return f"[{anchor.replace('-', ' ')}]({up}{path}#{anchor})"

    def _python(self) -> str:
        name = f"{self._verb()}_{self._random.choice(_SUBJECTS)}"
        return (
            f"```python\nasync def {name}(client: Client, *, limit: int = {self._random.randint(1, 500)}) -> list[str]:\n"
            f'    """{self._sentence()}"""\n    found = []\n'
            f"    async for item in client.stream(deadline={self._random.random():.3f}):\n"
            f"        if item.is_{self._verb()}:\n            found.append(f'{{item.name}}: {{item.value!r}}')\n"
            f"    return found[:limit]\n```"
        )

    def _shell(self) -> str:
        lines = [f"servicectl {self._verb()} --{self._random.choice(_SUBJECTS)}={n * 7} | sort -u" for n in range(3)]
        return "```bash\n" + "\n".join(lines) + "\n```"

    def _yaml(self) -> str:
        lines = [f"  - name: {self._random.choice(_SUBJECTS)}\n    limit: {n}00\n    enabled: true" for n in range(4)]
        return "```yaml\nservices:\n" + "\n".join(lines) + "\n```"

    def _table(self) -> str:
        rows = [f"| `{self._verb()}` | {self._words(4)} | {self._random.randint(1, 900)} |" for _ in range(6)]
        return "| option | meaning | default |\n|---|---|---:|\n" + "\n".join(rows)

    def _admonition(self) -> str:
        return f'!!! {self._random.choice(_KINDS)} "{self._words(3).capitalize()}"\n    {self._prose(2)}'

    def _details(self) -> str:
        return f'??? {self._random.choice(_KINDS)} "{self._words(3).capitalize()}"\n    {self._prose(2)}'

    def _list(self) -> str:
        items = [f"- {self._sentence()}\n    - {self._words(6)}\n    - {self._link()}" for _ in range(4)]
        return "\n".join(items)

    def _tabs(self) -> str:
        return (
            f'=== "Linux"\n\n    {self._sentence()}\n\n    ```bash\n    apt install {self._verb()}\n    ```\n\n'
            f'=== "macOS"\n\n    {self._sentence()}'
        )

    def _picture(self) -> str:
        up = "../" * self._source.count("/")
        return f"![{self._words(3)}]({up}images/figure-{self._random.randrange(8)}.png){{ width=400 }}"


def main() -> None:
    """Write a corpus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--pages", type=int, default=450, help="how many (default: 450)")
    parser.add_argument("--nav", action="store_true", help="list every page in mkdocs.yml")
    chosen = parser.parse_args()
    corpus = Corpus(chosen.pages, chosen.nav)
    corpus.write(chosen.folder)
    print(f"{chosen.pages} pages are in {chosen.folder}")


if __name__ == "__main__":
    main()
