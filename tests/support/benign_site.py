"""One site that uses what documentation of Material for MkDocs and of mkdocs-techdocs-core tells authors to use."""

from __future__ import annotations

from tests.support.sites import PIXEL_PNG, Files

CONFIG = """\
# Comments are allowed.
site_name: &name Everything
site_url: https://docs.example.org/everything/
site_description: A site that uses everything
site_author: Team A
repo_url: https://github.com/example/everything
repo_name: example/everything
edit_uri: edit/main/docs/
copyright: Copyright &copy; 2020 - 2026 <a href="https://example.org">Example</a>
docs_dir: docs
use_directory_urls: true
dev_addr: 127.0.0.1:9000
watch: [docs]
exclude_docs: |
  drafts/
not_in_nav: |
  hidden.md
validation:
  omitted_files: info
  links:
    absolute_links: info
    unrecognized_links: info
theme:
  name: material
  language: en
  direction: ltr
  logo: images/logo.png
  favicon: images/logo.png
  font: false
  icon:
    repo: fontawesome/brands/github
    admonition:
      note: octicons/tag-16
  palette:
    - media: "(prefers-color-scheme: light)"
      scheme: default
      primary: indigo
      toggle:
        icon: material/brightness-7
        name: Switch to dark mode
    - scheme: slate
      toggle:
        icon: material/brightness-4
        name: Switch to light mode
  features:
    - navigation.tabs
    - navigation.sections
    - navigation.top
    - toc.follow
    - content.code.copy
    - content.code.annotate
    - content.tabs.link
    - search.highlight
nav:
  - Home: index.md
  - Guides:
      - Overview: guides/index.md
      - guides/writing.md
      - Code: guides/code.md
  - Math: math.md
  - Elsewhere: https://example.org/
  - Billing: '!include ./services/billing/mkdocs.yml'
  - Teams: '*include ./teams/*/mkdocs.yml'
plugins:
  - search:
      lang: en
      separator: '[\\s\\-\\.]+'
  - redirects:
      redirect_maps:
        old.md: guides/index.md
        older.md: guides/code.md#fences
        away.md: https://example.org/new
  - techdocs-core:
      use_material_search: false
markdown_extensions:
  - abbr
  - admonition
  - attr_list
  - def_list
  - footnotes
  - md_in_html
  - meta
  - sane_lists
  - smarty
  - tables
  - toc:
      permalink: true
      toc_depth: 3
      title: On this page
      slugify: !!python/object/apply:pymdownx.slugs.slugify
        kwds:
          case: lower
  - pymdownx.arithmatex:
      generic: true
  - pymdownx.betterem:
      smart_enable: all
  - pymdownx.caret
  - pymdownx.details
  - pymdownx.emoji:
      emoji_index: !!python/name:material.extensions.emoji.twemoji
      emoji_generator: !!python/name:material.extensions.emoji.to_svg
      options:
        custom_icons:
          - docs/icons
  - pymdownx.highlight:
      anchor_linenums: true
      line_spans: __span
      pygments_lang_class: true
  - pymdownx.inlinehilite
  - pymdownx.keys
  - pymdownx.magiclink:
      repo_url_shorthand: true
      user: example
      repo: everything
  - pymdownx.mark
  - pymdownx.smartsymbols
  - pymdownx.snippets:
      base_path: [docs, .]
      check_paths: true
      auto_append:
        - includes/abbreviations.md
  - pymdownx.superfences:
      custom_fences:
        - name: mermaid
          class: mermaid
          format: !!python/name:pymdownx.superfences.fence_code_format
        - name: math
          class: arithmatex
          format: !!python/object/apply:pymdownx.arithmatex.arithmatex_fenced_format
            kwds:
              mode: generic
              tag: pre
  - pymdownx.tabbed:
      alternate_style: true
      slugify: !!python/object/apply:pymdownx.slugs.slugify {kwds: {case: lower}}
  - pymdownx.tasklist:
      custom_checkbox: true
  - pymdownx.tilde
  - pymdownx.blocks.caption
  - markdown_inline_graphviz
  - plantuml_markdown:
      format: svg
  - mdx_truly_sane_lists
extra:
  name: *name
  homepage: https://example.org/home
  generator: false
  version: 2.1
  released: 2026-01-31
  social:
    - icon: fontawesome/brands/mastodon
      link: https://social.example/@team
      name: Team A
    - icon: fontawesome/solid/paper-plane
      link: mailto:team@example.org
  alternate:
    - name: English
      link: ./
      lang: en
  tags:
    Stable: stable
extra_css:
  - stylesheets/extra.css
  - https://cdn.example.org/more.css
"""

FILES: Files = {
    "mkdocs.yml": CONFIG,
    "docs/index.md": (
        "---\ntitle: Welcome\ndescription: The first page\nicon: material/home\nhide:\n  - toc\ntags: [a, b]\n---\n"
        "# Everything\n\nSee the [guides](guides/index.md), HTML is markup.\n\n"
        ":smile: :material-account-circle: :our-mark: ==marked== H~2~O ^^inserted^^ ++ctrl+alt+del++ (c) -- done\n\n"
        "![A picture](images/logo.png){ width=300 loading=lazy }\n\n"
        "[Press](guides/code.md){ .md-button .md-button--primary }\n\n"
        "Issue #7 of example/other#8.\n\nA claim[^1].\n\n[^1]: Its source.\n"
    ),
    "docs/guides/index.md": "# Guides\n\n[TOC]\n\n## Größe & Maß\n\n- [Writing](writing.md)\n- [Code](code.md#fences)\n",
    "docs/guides/writing.md": (
        "# Writing\n\n"
        '!!! note "Look"\n    Inside.\n\n'
        '??? tip "Folded"\n    Hidden at first.\n\n'
        "> [!WARNING]\n> From GitHub.\n\n"
        "- [x] done\n- [ ] open\n  - nested by two\n\n"
        "Term\n:   Its meaning\n\n"
        '<div class="grid cards" markdown>\n\n- **One** card\n- **Two** cards\n\n</div>\n\n'
        "| a | b |\n|:--|--:|\n| 1 | 2 |\n\n"
        '=== "Linux"\n\n    On Linux.\n\n=== "Mac"\n\n    On a Mac.\n\n'
        '--8<-- "includes/shared.md"\n\n'
        "{--removed--} {++added++}\n\n/// caption\nBelow a picture\n///\n"
    ),
    "docs/guides/code.md": (
        "# Code\n\n## Fences\n\n"
        '``` python title="pay.py" linenums="1" hl_lines="2"\n'
        "def pay(amount: int) -> str:  # (1)!\n    return f'{amount}'\n```\n\n1. An annotation.\n\n"
        "Inline `#!python range(10)`.\n\n"
        "```mermaid\ngraph LR\n  A --> B\n```\n\n"
        "````markdown\n```plantuml\n@startuml\nA -> B\n@enduml\n```\n````\n\n"
        '<svg width="1" height="1"></svg>\n'
    ),
    "docs/math.md": "# Math\n\nInline $E=mc^2$ here.\n\n```math\n\\sum_{i=0}^n i\n```\n",
    "docs/hidden.md": "# Hidden\n\nNot in the navigation.\n",
    "docs/drafts/later.md": "# Later\n",
    "docs/includes/shared.md": "Shared *text*.\n",
    "includes/abbreviations.md": "*[HTML]: Hyper Text Markup Language\n",
    "docs/images/logo.png": PIXEL_PNG,
    "docs/icons/our/mark.svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0h1v1z"/></svg>\n',
    "docs/stylesheets/extra.css": ".a { color: red; }\n",
    "services/billing/mkdocs.yml": (
        "site_name: billing\ndocs_dir: ./docs\nrepo_url: https://github.com/example/billing\nedit_uri: edit/main/docs/\n"
        "nav:\n  - Start: index.md\n  - More:\n      - more.md\n      - Site: https://example.org/\n"
        "plugins: [techdocs-core]\n"
    ),
    "services/billing/docs/index.md": "# Billing\n\n[More](more.md)\n",
    "services/billing/docs/more.md": "# More of billing\n",
    "teams/red/mkdocs.yml": "site_name: Team Red\nnav:\n  - Red: index.md\n",
    "teams/red/docs/index.md": "# Red\n",
    "teams/blue/mkdocs.yml": "site_name: teams/blue\n",
    "teams/blue/docs/index.md": "# Blue\n",
}
