import pytest
from hypothesis import given
from hypothesis import strategies as st
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.manifest import Manifest, ManifestInvalid
from techdocs_server.domain.site_path import index_candidates, path_problem

segments = st.text(
    st.characters(blacklist_categories=["Cc", "Cs"], blacklist_characters="/\\"), min_size=1, max_size=12
)
paths = st.lists(segments.filter(lambda s: s not in (".", "..")), min_size=1, max_size=4).map("/".join)
manifests = st.dictionaries(paths, st.binary(max_size=20).map(Digest.of), max_size=12)


@given(manifests)
def test_manifest_survives_being_stored(files: dict[str, Digest]) -> None:
    manifest = Manifest(files)
    again = Manifest.parse(manifest.canonical)
    assert dict(again.files) == files
    assert again.revision == manifest.revision


@given(manifests, st.randoms())
def test_same_files_in_any_order_are_the_same_revision(files: dict[str, Digest], random: object) -> None:
    items = list(files.items())
    random.shuffle(items)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    assert Manifest(dict(items)).revision == Manifest(files).revision


def test_one_changed_byte_is_another_revision() -> None:
    before = Manifest({"index.html": Digest.of(b"a"), "x.css": Digest.of(b"x")})
    after = Manifest({"index.html": Digest.of(b"b"), "x.css": Digest.of(b"x")})
    assert before.revision != after.revision


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"version":1}',
        b'{"version":2,"files":{}}',
        b'{"version":1,"files":[]}',
        b'{"version":1,"files":{"a":["zz",1]}}',
        b'{"version":1,"files":{"a":["' + b"0" * 64 + b'",-1]}}',
        b'{"version":1,"files":{"../a":["' + b"0" * 64 + b'",1]}}',
        b'{"version":1,"files":{"a":"' + b"0" * 64 + b'"}}',
        b"\xff\xfe",
    ],
)
def test_anything_else_is_refused_as_no_manifest(content: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        Manifest.parse(content)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/..",
        "../a",
        "a/./b",
        "a\\b",
        "a\x00b",
        "a\nb",
        "a\x7f",
        "\ud800",
        "x" * 1025,
    ],
)
def test_unsafe_path_has_a_problem(path: str) -> None:
    assert path_problem(path) is not None


@pytest.mark.parametrize(
    "path", ["a", "a/b.html", "...", "a/..b", "ünïcode/日本.html", "a b", "a%2fb", "a:b", "x" * 1024]
)
def test_ordinary_path_has_none(path: str) -> None:
    assert path_problem(path) is None


def test_directories_mean_their_index() -> None:
    assert index_candidates("") == ("index.html",)
    assert index_candidates("guide/") == ("guide/index.html",)
    assert index_candidates("guide") == ("guide", "guide/index.html")
