import os
from pathlib import Path

import pytest
from techdocs_server.client.failures import ClientFailed, ExitStatus
from techdocs_server.client.site_folder import read_site
from techdocs_server.domain.digest import Digest

from tests.support.publishing import write_site

PAGES = {"index.html": b"front", "a/b/c.html": b"deep", "copy.html": b"front", "empty": b"", ".hidden": b"h"}


def test_every_file_is_found_with_its_digest(tmp_path: Path) -> None:
    site = read_site(write_site(tmp_path, PAGES))
    assert site.files == {path: Digest.of(content) for path, content in PAGES.items()}
    assert (site.size_bytes, site.skipped) == (15, 0)


def test_more_files_than_may_be_open_are_read(tmp_path: Path) -> None:
    pages = {f"{number % 7}/{number}.html": b"%d" % number for number in range(500)} | {"index.html": b""}
    assert len(read_site(write_site(tmp_path, pages)).files) == 501


def test_equal_contents_are_one_content(tmp_path: Path) -> None:
    site = read_site(write_site(tmp_path, PAGES))
    assert site.path_of[Digest.of(b"front")] == "copy.html"
    assert len(site.path_of) == 4


def test_the_folder_itself_may_be_a_link_and_nothing_below_it_is_followed(tmp_path: Path) -> None:
    root, outside = write_site(tmp_path / "site", PAGES), write_site(tmp_path / "outside", {"secret": b"s"})
    (root / "file").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    (root / "broken").symlink_to(tmp_path / "absent")
    os.mkfifo(root / "pipe")
    (tmp_path / "link").symlink_to(root)
    site = read_site(tmp_path / "link")
    assert set(site.files) == set(PAGES)
    assert site.skipped == 4


def test_chunks_are_the_bytes_that_were_hashed(tmp_path: Path) -> None:
    site = read_site(write_site(tmp_path, PAGES | {"large": b"x" * 1000}))
    assert [len(chunk) for chunk in site.chunks(Digest.of(b"x" * 1000), most_bytes=300)] == [300, 300, 300, 100]
    assert list(site.chunks(Digest.of(b""), most_bytes=300)) == [b""]


@pytest.mark.parametrize("change", ["shorter", "gone", "a link"])
def test_a_file_that_cannot_be_sent_any_more_is_named(tmp_path: Path, change: str) -> None:
    site = read_site(write_site(tmp_path, PAGES))
    file = tmp_path / "a/b/c.html"
    file.unlink()
    if change == "shorter":
        file.write_bytes(b"d")
    elif change == "a link":
        file.symlink_to(tmp_path / "index.html")
    with pytest.raises(ClientFailed, match=r"a/b/c\.html"):
        list(site.chunks(Digest.of(b"deep"), most_bytes=300))


def test_a_file_that_grew_is_sent_as_long_as_it_was(tmp_path: Path) -> None:
    site = read_site(write_site(tmp_path, PAGES))
    (tmp_path / "a/b/c.html").write_bytes(b"deeper and deeper")
    assert list(site.chunks(Digest.of(b"deep"), most_bytes=300)) == [b"deep"]


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ({}, "has no index.html"),
        ({"a.html": b""}, "has no index.html"),
        ({"index.html": b"", "a\\b": b""}, "backslashes"),
    ],
)
def test_what_is_no_site_is_said(tmp_path: Path, pages: dict[str, bytes], words: str) -> None:
    with pytest.raises(ClientFailed, match=words) as failed:
        read_site(write_site(tmp_path, pages))
    assert failed.value.status is ExitStatus.USAGE


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    write_site(tmp_path, PAGES)
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.html"))).write_bytes(b"")
    with pytest.raises(ClientFailed, match="broken characters"):
        read_site(tmp_path)


@pytest.mark.parametrize("name", ["absent", "index.html"])
def test_what_is_no_folder_is_said(tmp_path: Path, name: str) -> None:
    write_site(tmp_path, PAGES)
    with pytest.raises(ClientFailed, match=name) as failed:
        read_site(tmp_path / name)
    assert failed.value.status is ExitStatus.USAGE
