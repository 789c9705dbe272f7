import pytest
from google.protobuf.message import Message
from techdocs.v1 import builds_pb2, docs_pb2, entity_pb2, sites_pb2
from techdocs_server.domain.errors import FieldInvalid
from techdocs_server.rpc.interceptors.validation import check

from tests.support.rpc_client import component, problem, problem_at_end
from tests.unit.rpc.real_server import DEMO, Served

REVISION = "ab" * 32

BROKEN: tuple[tuple[Message, str], ...] = (
    (docs_pb2.GetContentRequest(), "entity"),
    (docs_pb2.GetContentRequest(entity=entity_pb2.EntityRef(kind="component")), "entity.name"),
    (docs_pb2.GetContentRequest(entity=entity_pb2.EntityRef(kind="no kind", name="x")), "entity.kind"),
    (docs_pb2.GetContentRequest(entity=entity_pb2.EntityRef(kind="c", name="-x")), "entity.name"),
    (docs_pb2.GetContentRequest(entity=entity_pb2.EntityRef(namespace="a_b", kind="c", name="x")), "entity.namespace"),
    (docs_pb2.GetContentRequest(entity=entity_pb2.EntityRef(kind="c", name="x" * 64)), "entity.name"),
    (docs_pb2.GetContentRequest(entity=DEMO, path="/etc/passwd"), "path"),
    (docs_pb2.GetContentRequest(entity=DEMO, path="a/../b"), "path"),
    (docs_pb2.GetContentRequest(entity=DEMO, path=".."), "path"),
    (docs_pb2.GetContentRequest(entity=DEMO, path="a//b"), "path"),
    (docs_pb2.GetContentRequest(entity=DEMO, path="a\\b"), "path"),
    (docs_pb2.GetContentRequest(entity=DEMO, path="a\nb"), "path"),
    (docs_pb2.GetContentRequest(entity=DEMO, path="é" * 513), "path"),
    (docs_pb2.GetContentRequest(entity=DEMO, revision="current"), "revision"),
    (docs_pb2.GetContentRequest(entity=DEMO, revision=REVISION.upper()), "revision"),
    (docs_pb2.GetContentRequest(entity=DEMO, if_none_match=['"a"', ""]), "if_none_match[1]"),
    (docs_pb2.GetContentRequest(entity=DEMO, if_none_match=['"a"'] * 33), "if_none_match"),
    (docs_pb2.GetContentRequest(entity=DEMO, read_limit=-1), "read_limit"),
    (docs_pb2.GetContentRequest(entity=DEMO, read_offset=-1, read_limit=1), ""),
    (docs_pb2.GetSiteMetadataRequest(entity=DEMO, revision="x"), "revision"),
    (docs_pb2.ListContentsRequest(entity=DEMO, page_size=-1), "page_size"),
    (docs_pb2.ListContentsRequest(entity=DEMO, path_prefix="x" * 1025), "path_prefix"),
    (docs_pb2.ListContentsRequest(entity=DEMO, page_token="x" * 4097), "page_token"),
    (builds_pb2.CreateBuildRequest(entity=DEMO, request_id="42"), "request_id"),
    (builds_pb2.GetBuildRequest(name="3f1c"), "name"),
    (builds_pb2.GetBuildRequest(name="builds/../x"), "name"),
    (builds_pb2.ListBuildsRequest(states=[builds_pb2.BUILD_STATE_UNSPECIFIED]), "states[0]"),
    (builds_pb2.ListBuildsRequest(states=[builds_pb2.BUILD_STATE_FAILED] * 2), "states"),
    (builds_pb2.ListBuildsRequest(entity=entity_pb2.EntityRef(kind="component")), "entity.name"),
    (builds_pb2.ListBuildsRequest(page_size=-5), "page_size"),
    (sites_pb2.GetRevisionRequest(entity=DEMO), "revision"),
    (sites_pb2.RollbackSiteRequest(entity=DEMO, revision=REVISION, etag="x" * 129), "etag"),
    (sites_pb2.ListSitesRequest(namespace="x" * 64), "namespace"),
)


@pytest.mark.parametrize(("request_message", "field"), BROKEN, ids=lambda value: str(value).replace("\n", " ")[:60])
def test_a_request_that_breaks_a_rule_names_the_field(request_message: Message, field: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        check(request_message)
    assert {violation.field for violation in caught.value.violations} == {field}
    assert caught.value.violations[0].description


@pytest.mark.parametrize(
    "good",
    [
        docs_pb2.GetContentRequest(entity=entity_pb2.EntityRef(kind="Component", name="My.Name_1-x")),
        docs_pb2.GetContentRequest(entity=DEMO, path="a/b c/ü.html"),
        docs_pb2.GetContentRequest(entity=DEMO, path="...hidden/..x"),
        docs_pb2.GetContentRequest(entity=DEMO, path="x" * 1024),
        docs_pb2.GetContentRequest(entity=DEMO, path="guide/"),
        docs_pb2.GetContentRequest(entity=DEMO, read_offset=-1),
        docs_pb2.GetContentRequest(entity=DEMO, if_none_match=["*"] * 32),
        builds_pb2.ListBuildsRequest(page_size=2**31 - 1),
        builds_pb2.CreateBuildRequest(entity=DEMO, request_id="a6b1d3f0-5b0c-4f1e-9d0e-111111111111"),
    ],
    ids=lambda value: str(value).replace("\n", " ")[:60],
)
def test_a_request_inside_the_rules_passes(good: Message) -> None:
    check(good)


async def test_the_wire_names_every_field_that_is_wrong(service: Served) -> None:
    request = docs_pb2.GetContentRequest(
        entity=entity_pb2.EntityRef(kind="no kind", name="x"), path="..", revision="current", read_limit=-1
    )
    refusal = await problem(service.client.docs.GetContent(request))
    assert set(refusal.violations) == {"entity.kind", "path", "revision", "read_limit"}
    assert refusal.violations["path"] == "must not have empty, . or .. segments"
    assert all(field in refusal.message for field in refusal.violations)
    assert refusal.reason == "FIELD_INVALID"


async def test_streams_are_checked_before_their_first_message(service: Served) -> None:
    stream = service.client.builds.WatchBuild(builds_pb2.WatchBuildRequest(name="builds/a", after_sequence=-1))
    messages, refusal = await problem_at_end(stream)
    assert (messages, list(refusal.violations)) == ([], ["after_sequence"])


async def test_a_value_that_no_enum_has_is_refused(service: Served) -> None:
    request = docs_pb2.GetContentRequest(entity=DEMO)
    request.MergeFromString(b"\x48\x63")  # view = 99, which only a client of another contract can send
    assert list((await problem(service.client.docs.GetContent(request))).violations) == ["view"]


async def test_letter_case_does_not_distinguish_entities(service: Served) -> None:
    await service.publish(index="one")
    shouted = entity_pb2.EntityRef(namespace="DEFAULT", kind="Component", name="DEMO")
    answer = await service.client.docs.GetContent(docs_pb2.GetContentRequest(entity=shouted))
    assert answer.body.data == b"one"
    unnamed = entity_pb2.EntityRef(kind="component", name="demo")
    site = await service.client.sites.GetSite(sites_pb2.GetSiteRequest(entity=unnamed))
    assert site.site.entity == component("demo")
