"""The table from gRPC statuses to HTTP ones."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc.aio import AioRpcError, Metadata
from techdocs.v1 import errors_pb2
from techdocs_bridge.status import (
    ERROR_NAMES,
    HTTP_STATUS_BY_CODE,
    HTTP_STATUS_BY_REASON,
    HTTPProblem,
    problem_from_rpc,
)

REASONS = sorted(name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.keys())  # noqa: SIM118 - not a dict


def failed(code: str, text: str, *details: Message) -> AioRpcError:
    packed = []
    for detail in details:
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    status = status_pb2.Status(code=grpc.StatusCode[code].value[0], message=text, details=packed)
    trailers = Metadata(("x-request-id", "12345678"), ("grpc-status-details-bin", status.SerializeToString()))
    return AioRpcError(grpc.StatusCode[code], Metadata(), trailers if details else Metadata(), details=text)


def info(reason: str, domain: str = "techdocs", **metadata: str) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata)


@pytest.mark.parametrize("reason", [reason for reason in REASONS if reason != "UNSPECIFIED"])
def test_every_reason_of_the_contract_has_an_http_status_with_a_name(reason: str) -> None:
    assert HTTP_STATUS_BY_REASON[reason] in ERROR_NAMES


def test_the_table_has_no_reasons_that_the_contract_does_not_have() -> None:
    assert set(HTTP_STATUS_BY_REASON) < set(REASONS)


def test_every_code_has_an_http_status_with_a_name() -> None:
    assert set(HTTP_STATUS_BY_CODE) == {code.name for code in grpc.StatusCode} - {"OK"}
    assert set(HTTP_STATUS_BY_CODE.values()) <= set(ERROR_NAMES)


def test_reason_decides_and_message_and_metadata_are_kept() -> None:
    problem = problem_from_rpc(failed("FAILED_PRECONDITION", "no source", info("NO_DOCS_SOURCE", entity="a:b/c")))
    assert (problem.status, problem.name, problem.message) == (404, "NotFoundError", "no source")
    assert (problem.code, problem.reason, problem.metadata) == (
        "FAILED_PRECONDITION",
        "NO_DOCS_SOURCE",
        {"entity": "a:b/c"},
    )
    assert problem.details == (
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "NO_DOCS_SOURCE",
            "domain": "techdocs",
            "metadata": {"entity": "a:b/c"},
        },
    )


@pytest.mark.parametrize(("code", "status"), [("ABORTED", 409), ("UNAUTHENTICATED", 401), ("UNAVAILABLE", 503)])
def test_reason_of_a_newer_server_is_decided_by_its_code(code: str, status: int) -> None:
    problem = problem_from_rpc(failed(code, "new", info("INVENTED_LATER")))
    assert (problem.status, problem.message, problem.reason) == (status, "new", "INVENTED_LATER")
    assert ("www-authenticate" in dict(problem.headers)) == (status == 401)


@pytest.mark.parametrize("code", sorted(set(HTTP_STATUS_BY_CODE) - {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"}))
def test_status_without_our_reason_is_500_and_its_text_is_for_the_log_only(code: str) -> None:
    for error in (failed(code, "secret"), failed(code, "secret", info("X", "elsewhere"))):
        problem = problem_from_rpc(error)
        assert (problem.status, problem.message, problem.details) == (500, "", ())
        assert "secret" in problem.log_text


@pytest.mark.parametrize(("code", "status"), [("UNAVAILABLE", 503), ("DEADLINE_EXCEEDED", 504), ("CANCELLED", 503)])
def test_status_of_grpc_itself_is_told_without_its_text(code: str, status: int) -> None:
    problem = problem_from_rpc(failed(code, "ipv4:10.0.0.1: connection refused"))
    assert problem.status == status
    assert problem.message
    assert "10.0.0.1" not in problem.message
    assert ("retry-after" in dict(problem.headers)) == (status == 503)


def test_defect_of_the_server_is_told_without_its_text() -> None:
    problem = problem_from_rpc(failed("INTERNAL", "secret", info("INTERNAL"), error_details_pb2.DebugInfo(detail="x")))
    assert (problem.status, problem.message, problem.log_text) == (500, "", "secret")
    assert [detail["@type"] for detail in problem.details] == ["type.googleapis.com/google.rpc.ErrorInfo"]


@pytest.mark.parametrize(("nanos", "seconds"), [(0, "3"), (1_000, "4"), (999_999_999, "4")])
def test_retry_after_is_retry_info_in_whole_seconds_and_never_early(nanos: int, seconds: str) -> None:
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.seconds, retry.retry_delay.nanos = 3, nanos
    problem = problem_from_rpc(failed("RESOURCE_EXHAUSTED", "full", info("BUILD_QUEUE_FULL"), retry))
    assert (problem.status, dict(problem.headers)["retry-after"]) == (429, seconds)


def test_details_that_are_no_part_of_the_contract_are_not_shown() -> None:
    unknown = any_pb2.Any(type_url="type.googleapis.com/some.Unknown", value=b"\xff")
    status = status_pb2.Status(code=5, message="gone")
    status.details.add().Pack(info("SITE_NOT_FOUND"))
    status.details.append(unknown)
    trailers = Metadata(("grpc-status-details-bin", status.SerializeToString()))
    problem = problem_from_rpc(AioRpcError(grpc.StatusCode.NOT_FOUND, Metadata(), trailers, details="gone"))
    assert (problem.status, len(problem.details)) == (404, 1)


def test_details_that_cannot_be_read_are_none() -> None:
    trailers = Metadata(("grpc-status-details-bin", b"\xff\xff"))
    assert problem_from_rpc(AioRpcError(grpc.StatusCode.NOT_FOUND, Metadata(), trailers)).status == 500


def test_problem_keeps_everything_under_another_status() -> None:
    problem = HTTPProblem(status=503, message="m", code="UNAVAILABLE", headers=(("retry-after", "1"),))
    moved = problem.with_status(500)
    assert (moved.status, moved.message, moved.headers) == (500, "m", problem.headers)
