from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from techdocs_bridge.transcoding.path_template import MAX_PATH_BYTES, PathInvalid, split_path

safe_segments = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/\\"), min_size=1, max_size=20
).filter(lambda text: text not in (".", ".."))


def encodings(text: str) -> list[bytes]:
    """Return the ways a client may write one segment: plain, lower-case escapes, upper-case escapes."""
    escapes = [f"%{byte:02x}" for byte in text.encode()]
    return [text.encode(), "".join(escapes).encode(), "".join(escapes).upper().encode()]


@given(st.lists(safe_segments, min_size=1, max_size=6), st.booleans())
@settings(deadline=None)
def test_encoded_segments_come_back_as_they_were(segments: list[str], trailing_slash: bool) -> None:
    raw = "/" + "/".join(quote(segment, safe="") for segment in segments) + "/" * trailing_slash
    assert split_path(raw.encode()) == segments + [""] * trailing_slash


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        (b"/", [""]),
        (b"/docs", ["docs"]),
        (b"/docs/", ["docs", ""]),
        (b"/a%20b/c+d", ["a b", "c+d"]),
        (b"/%C3%BC/\xc3\xbc", ["ü", "ü"]),
        (b"/a%2525b", ["a%25b"]),
        (b"/a%252e%252e/b", ["a%2e%2e", "b"]),
        (b"/...", ["..."]),
        (b"/.well-known/..a/a..", [".well-known", "..a", "a.."]),
        (b"/a:b;c=d,e@f!$&'()*", ["a:b;c=d,e@f!$&'()*"]),
        (b"/%23%3F%2F".replace(b"%2F", b""), ["#?"]),
        ("/😀/文".encode(), ["😀", "文"]),
    ],
)
def test_each_segment_is_decoded_once(raw: bytes, segments: list[str]) -> None:
    assert split_path(raw) == segments


@pytest.mark.parametrize("place", [b"/%b", b"/%b/", b"/docs/%b", b"/docs/%b/index.html", b"/docs/x%bx"])
@pytest.mark.parametrize(
    ("hostile", "complaint"),
    [
        *((raw, "segment that is . or ..") for dots in (".", "..") for raw in encodings(dots)),
        *((raw, "segment that is . or ..") for raw in (b".%2e", b"%2E.")),
        *((raw, "encoded slash") for raw in encodings("/")[1:]),
        *((raw, "encoded slash") for raw in (b"..%2f..", b"%2e%2e%2fetc%2Fpasswd")),
        *((raw, "backslash") for raw in encodings("\\")),
        (b"..%5c..", "backslash"),
        *((raw, "control character") for character in "\0\t\n\r\x1b\x7f" for raw in encodings(character)),
        *((raw, "control character") for raw in encodings("\x85")),
        *((raw, "two hexadecimal digits") for raw in (b"%", b"%2", b"%zz", b"%2g", b"%u002e", b"%%", b"%-1", b"% 1")),
        *((raw, "not UTF-8") for raw in (b"%ff", b"\xff", b"%c0%ae", b"\xc0\xae", b"%e0%80%af", b"%ed%a0%80", b"%c3")),
    ],
)
def test_a_hostile_segment_is_refused_wherever_it_stands(place: bytes, hostile: bytes, complaint: str) -> None:
    dots_inside_a_name = place == b"/docs/x%bx" and complaint.startswith("segment")
    if dots_inside_a_name:
        assert len(split_path(place % hostile)) == 2
        return
    with pytest.raises(PathInvalid, match=complaint):
        split_path(place % hostile)


@pytest.mark.parametrize("raw", [b"//", b"//docs", b"/docs//", b"/docs//index.html", b"///"])
def test_an_empty_segment_is_refused(raw: bytes) -> None:
    with pytest.raises(PathInvalid, match="empty segment"):
        split_path(raw)


@pytest.mark.parametrize("raw", [b"", b"docs", b"*", b"http://host/docs", b"\\docs", b"%2fdocs"])
def test_a_path_that_does_not_begin_with_a_slash_is_refused(raw: bytes) -> None:
    with pytest.raises(PathInvalid, match="begin with a slash"):
        split_path(raw)


def test_a_path_is_bounded_in_length() -> None:
    assert split_path(b"/" + b"a" * (MAX_PATH_BYTES - 1)) == ["a" * (MAX_PATH_BYTES - 1)]
    with pytest.raises(PathInvalid, match="longer than"):
        split_path(b"/" + b"a" * MAX_PATH_BYTES)


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_whatever_is_let_through_is_safe_and_whatever_is_refused_is_not_echoed(tail: bytes) -> None:
    refusal, segments = "", ["x"]
    try:
        segments = split_path(b"/" + tail)
    except PathInvalid as error:
        refusal = str(error)
    assert refusal.isascii()
    assert refusal.isprintable()
    *inner, last = segments
    for segment in [*inner, last or "x"]:
        assert segment not in ("", ".", "..")
        assert not any(c in "/\\" or ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in segment)
