"""The table from errors to codes, compared with the contract and with the tree of errors."""

import inspect
import re
from collections import defaultdict
from pathlib import Path

import pytest
from google.rpc import code_pb2, error_details_pb2
from techdocs.v1 import errors_pb2
from techdocs_server.domain import access_errors, errors, publish_errors, upkeep_errors
from techdocs_server.domain.errors import TechDocsError
from techdocs_server.rpc.status import DOMAIN, internal_status, make_status, status_of

CONTRACT = Path(__file__).parents[3] / "proto" / "techdocs" / "v1" / "errors.proto"

SAMPLES: tuple[TechDocsError, ...] = (
    errors.FieldInvalid(errors.FieldViolation("path", "must not be empty")),
    errors.PageTokenInvalid(),
    errors.EntityNotFound("component:default/x"),
    errors.SiteNotFound("component:default/x"),
    errors.RevisionNotFound("component:default/x", "ab" * 32),
    errors.ContentNotFound("component:default/x", "ab" * 32, "a.html"),
    errors.BuildNotFound("builds/x"),
    errors.RequestIdReused(),
    errors.NoDocsSource("component:default/x", "there is no annotation"),
    errors.BuildInProgress("component:default/x", "builds/x"),
    errors.ETagMismatch("component:default/x", '"1"'),
    errors.RevisionConflict("component:default/x"),
    upkeep_errors.RevisionIsCurrent("component:default/x", "ab" * 32),
    upkeep_errors.RevisionPinned("component:default/x", "ab" * 32),
    upkeep_errors.CollectionRunning(),
    errors.RangeNotSatisfiable(10),
    errors.BuildFailed("component:default/x", "builds/x", "generating", "no theme"),
    errors.BuildCancelled("component:default/x", "builds/x"),
    errors.ServerOverloaded(),
    errors.BuildQueueFull(100),
    errors.QuotaExceeded("too many files"),
    errors.StorageUnavailable("the disk is full"),
    errors.CatalogUnavailable("no such file"),
    errors.ServerDraining(),
    errors.DeadlineExceeded(300),
    errors.ContentCorrupt("component:default/x", "a.html"),
    access_errors.Unauthenticated(),
    access_errors.AccessDenied("plugin:search has no permission to publish here"),
    access_errors.AuthenticationUnavailable("the plugin search"),
    publish_errors.StreamOrderInvalid("it has two headers"),
    publish_errors.ManifestRefused("it has no index.html"),
    publish_errors.SentBytesMismatch("ab" * 32),
    publish_errors.PublishDisabled(),
    publish_errors.BlobsMissing("component:default/x", 3),
)


def concrete_errors() -> set[type[TechDocsError]]:
    """Return every class of the tree that has a reason of its own."""
    modules = (access_errors, errors, publish_errors, upkeep_errors)
    members = [kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)]
    classes = {kind for kind in members if issubclass(kind, TechDocsError)}
    return {kind for kind in classes if "reason" in vars(kind)}


def documented_codes() -> dict[str, str]:
    """Return the code that the contract gives each reason, from the comments of the enum."""
    found = re.findall(r"//\s+([A-Z_]+): (?:(?!//\s+[A-Z_]+:).)*?ERROR_REASON_([A-Z_]+) =", CONTRACT.read_text(), re.S)
    return {reason: code for code, reason in found}


def reasons_of_the_contract() -> set[str]:
    names = {value.name.removeprefix("ERROR_REASON_") for value in errors_pb2.ErrorReason.DESCRIPTOR.values}
    return names - {"UNSPECIFIED"}


def test_every_reason_of_the_contract_is_that_of_exactly_one_class() -> None:
    classes = defaultdict(list)
    for kind in concrete_errors():
        classes[kind.reason].append(kind.__name__)
    assert set(classes) == reasons_of_the_contract()
    assert [names for names in classes.values() if len(names) > 1] == []


def test_there_is_a_sample_of_every_class() -> None:
    assert {type(sample) for sample in SAMPLES} == concrete_errors() - {TechDocsError}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.reason)
def test_each_error_gets_the_code_that_the_contract_documents(sample: TechDocsError) -> None:
    status = status_of(sample)
    assert code_pb2.Code.Name(code_pb2.Code.ValueType(status.code)) == documented_codes()[sample.reason]
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == (sample.reason, DOMAIN)
    assert status.message == sample.message
    assert dict(info.metadata) == sample.metadata


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.reason)
def test_retry_info_is_there_exactly_where_a_class_says_when(sample: TechDocsError) -> None:
    packed = [detail for detail in status_of(sample).details if detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR)]
    seconds = getattr(sample, "retry_after_seconds", None)
    assert bool(packed) == (seconds is not None)
    if packed:
        retry = error_details_pb2.RetryInfo()
        packed[0].Unpack(retry)
        assert retry.retry_delay.ToNanoseconds() / 1e9 == seconds


def test_the_contract_documents_a_code_for_every_reason() -> None:
    assert set(documented_codes()) == reasons_of_the_contract()


def test_a_documented_promise_to_say_when_is_kept() -> None:
    promised = set(re.findall(r"RetryInfo\.\n\s+ERROR_REASON_([A-Z_]+) =", CONTRACT.read_text()))
    kept = {sample.reason for sample in SAMPLES if getattr(sample, "retry_after_seconds", None) is not None}
    assert promised
    assert promised <= kept


def test_a_defect_is_internal_and_names_only_its_request() -> None:
    status = internal_status("0123-abcd")
    assert status.code == code_pb2.INTERNAL
    assert "0123-abcd" in status.message


def test_a_reason_outside_the_contract_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="NOT_A_REASON"):
        make_status(code_pb2.ABORTED, "NOT_A_REASON", "text")
