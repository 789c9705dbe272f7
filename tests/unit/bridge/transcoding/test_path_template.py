from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from techdocs_bridge.transcoding.path_template import PathTemplate, TemplateInvalid, split_path

DOCS = "/docs/{entity.namespace}/{entity.kind}/{entity.name}/{path=**}"


@pytest.mark.parametrize(
    ("text", "shape", "variables", "verb"),
    [
        ("/v1/builds", "/v1/builds", (), ""),
        ("/v1/{name}", "/v1/*", ("name",), ""),
        ("/v1/{name=*}", "/v1/*", ("name",), ""),
        ("/v1/{name=builds/*}", "/v1/builds/*", ("name",), ""),
        ("/v1/{name=builds/*}:cancel", "/v1/builds/*:cancel", ("name",), "cancel"),
        ("/v1/{name=a/*/b/**}:undo", "/v1/a/*/b/**:undo", ("name",), "undo"),
        ("/v1/*/things/**", "/v1/*/things/**", (), ""),
        ("/{a.b.c}/{d_1}", "/*/*", ("a.b.c", "d_1"), ""),
        (DOCS, "/docs/*/*/*/**", ("entity.namespace", "entity.kind", "entity.name", "path"), ""),
        ("/{path=**}", "/**", ("path",), ""),
        ("/**", "/**", (), ""),
        ("/caf%C3%A9/.well-known/a~b", "/café/.well-known/a~b", (), ""),
        ("/v1:batch", "/v1:batch", (), "batch"),
    ],
)
def test_the_whole_grammar_is_read(text: str, shape: str, variables: tuple[str, ...], verb: str) -> None:
    template = PathTemplate.parse(text)
    assert (template.shape, template.variables, template.verb) == (shape, variables, verb)


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "v1", "v1/x", "/v1/", "//v1", "/v1//x", "/{", "/}", "/{}", "/{a", "/a}", "/{a=}", "/{a=/x}", "/{a=x/}",
        "/{a={b}}", "/{a.}", "/{.a}", "/{1a}", "/{a-b}", "/***", "/a*", "/*a", "/x{a}", "/{a}{b}", "/{a}x",
        "/**/x", "/{a=**}/x", "/{a=**/x}", "/**/{a}", "/{a}/{a}", "/a:", "/a:b:c", "/a:b/c", "/:b", "/a:{b}", "/a:*",
        "/a b", "/a?b", "/a#b", "/%zz", "/%ff", "/é",
    ],
)  # fmt: skip
def test_what_breaks_the_grammar_is_refused_with_the_template(text: str) -> None:
    with pytest.raises(TemplateInvalid) as caught:
        PathTemplate.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "path", "verb", "expected"),
    [
        ("/v1/builds", b"/v1/builds", "", {}),
        ("/v1/builds", b"/v1/builds/", "", {}),
        ("/v1/builds", b"/v1/builds", "cancel", None),
        ("/v1/builds", b"/v1/Builds", "", None),
        ("/v1/builds", b"/v1", "", None),
        ("/v1/builds", b"/v1/", "", None),
        ("/v1/builds", b"/v1/builds/x", "", None),
        ("/v1/{name}", b"/v1/", "", None),
        ("/v1/{name}", b"/v1/a%20b", "", {"name": "a b"}),
        ("/v1/{name}", b"/v1/a/", "", {"name": "a"}),
        ("/v1/{name=builds/*}", b"/v1/builds/7", "", {"name": "builds/7"}),
        ("/v1/{name=builds/*}", b"/v1/sites/7", "", None),
        ("/v1/{name=builds/*}", b"/v1/builds/7/8", "", None),
        ("/v1/{name=builds/*}:cancel", b"/v1/builds/7", "cancel", {"name": "builds/7"}),
        ("/v1/{name=builds/*}:cancel", b"/v1/builds/7", "", None),
        ("/v1/{name=a/*/b/**}", b"/v1/a/1/b", "", {"name": "a/1/b"}),
        ("/v1/{name=a/*/b/**}", b"/v1/a/1/b/", "", {"name": "a/1/b/"}),
        ("/v1/{name=a/*/b/**}", b"/v1/a/1/b/2/3", "", {"name": "a/1/b/2/3"}),
        ("/v1/*/things/**", b"/v1/x/things/a/b", "", {}),
        ("/caf%C3%A9", b"/caf%c3%a9", "", {}),
        ("/%2A", b"/x", "", None),
        ("/%2A", b"/*", "", {}),
        ("/{path=**}", b"/", "", {"path": ""}),
        ("/{path=**}", b"/a", "", {"path": "a"}),
        ("/a/{b=*}/{c=**}", b"/a/1/2/3", "", {"b": "1", "c": "2/3"}),
    ],
)
def test_a_template_matches_these_paths_with_these_values(
    text: str, path: bytes, verb: str, expected: dict[str, str] | None
) -> None:
    assert PathTemplate.parse(text).match(split_path(path), verb) == expected


@pytest.mark.parametrize(
    ("tail", "path"),
    [
        (b"", ""),
        (b"/", ""),
        (b"/guide", "guide"),
        (b"/guide/", "guide/"),
        (b"/guide/page.html", "guide/page.html"),
        (b"/a%20b/%C3%BC:x.html", "a b/ü:x.html"),
    ],
)
def test_the_rest_of_a_path_keeps_its_trailing_slash(tail: bytes, path: str) -> None:
    entity = {"entity.namespace": "default", "entity.kind": "component", "entity.name": "shop"}
    found = PathTemplate.parse(DOCS).match(split_path(b"/docs/default/component/shop" + tail), "")
    assert found == entity | {"path": path}


@pytest.mark.parametrize("path", [b"/docs/default/component", b"/docs/default/component/", b"/docs/", b"/docs"])
def test_a_trailing_slash_is_never_the_value_of_a_variable(path: bytes) -> None:
    assert PathTemplate.parse(DOCS).match(split_path(path), "") is None


def test_no_segments_at_all_match_only_what_needs_none() -> None:
    assert PathTemplate.parse("/**").match([], "") == {}
    assert PathTemplate.parse("/a").match([], "") is None


words = st.text(st.sampled_from("abcz09-_.~"), min_size=1, max_size=8).filter(lambda word: word not in (".", ".."))


@given(st.lists(words, min_size=1, max_size=5), st.lists(words, max_size=4), st.sampled_from(["", ":go"]))
@settings(deadline=None)
def test_a_template_gives_back_the_values_its_path_was_made_of(values: list[str], rest: list[str], verb: str) -> None:
    text = "".join(f"/fixed{at}/{{v{at}}}" for at in range(len(values))) + "/{rest=**}" + verb
    path = "".join(f"/fixed{at}/{value}" for at, value in enumerate(values)) + "".join(f"/{word}" for word in rest)
    expected = {f"v{at}": value for at, value in enumerate(values)} | {"rest": "/".join(rest)}
    assert PathTemplate.parse(text).match(split_path(path.encode()), verb.removeprefix(":")) == expected


def test_specificity_puts_literals_before_variables_before_the_rest() -> None:
    in_order = ["/a/b/c", "/a/b/{c}", "/a/b/{c=**}", "/a/{b}", "/a/{b}/c", "/a/{b}/{c}", "/a/{b}/{c=**}", "/a/{b=**}",
                "/{a}/b", "/{a=**}"]  # fmt: skip
    templates = [PathTemplate.parse(text) for text in reversed(in_order)]
    assert [t.text for t in sorted(templates, key=lambda t: t.specificity)] == in_order


@pytest.mark.parametrize(
    ("text", "path", "names"),
    [
        (DOCS, "/docs/{namespace}/{kind}/{name}/{path}", ["namespace", "kind", "name", "path"]),
        ("/v1/{name=builds/*}:cancel", "/v1/builds/{build}:cancel", ["build"]),
        ("/v1/{name=cities/*/builds/**}", "/v1/cities/{city}/builds/{build}", ["city", "build"]),
        ("/{a.name}/{b.name}", "/{name}/{b.name}", ["name", "b.name"]),
        ("/*/*", "/{segment}/{segment2}", ["segment", "segment2"]),
        ("/{name=*/*}", "/{name}/{segment}", ["name", "segment"]),
        ("/{name=s/*}", "/s/{name}", ["name"]),
        ("/plain", "/plain", []),
    ],
)
def test_openapi_parameters_have_one_name_each(text: str, path: str, names: list[str]) -> None:
    written = PathTemplate.parse(text).openapi
    assert written.path == path
    assert [parameter.name for parameter in written.parameters] == names


def test_openapi_parameters_know_the_part_of_the_field_they_are() -> None:
    *_, path = PathTemplate.parse(DOCS).openapi.parameters
    assert (path.field_path, path.is_whole_value, path.prefix, path.is_open) == ("path", True, "", True)
    (build,) = PathTemplate.parse("/v1/{name=builds/*}").openapi.parameters
    assert (build.field_path, build.is_whole_value, build.prefix, build.is_open) == ("name", False, "builds/", False)
    (anything,) = PathTemplate.parse("/v1/*").openapi.parameters
    assert (anything.field_path, anything.is_whole_value) == ("", False)
