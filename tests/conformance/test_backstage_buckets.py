"""A bucket that both read: Backstage's TechDocs plugin and this service, in both of its rules of letter case."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conformance.backstage_differences import ruled, unexplained, unneeded
from tests.conformance.backstage_pair import backstage_pair, unlike
from tests.conformance.backstage_requests import bucket_requests
from tests.conformance.backstage_rules import DIFFERENCES
from tests.support.classic import S3Objects
from tests.support.seaweedfs import ACCESS_KEY, SECRET_KEY, SeaweedFS

# The first test may install Backstage's packages.
pytestmark = pytest.mark.timeout(1200)

_MISSING = ("path in capitals", "missing", "unknown", "out of the site")
_FOUND = "what a bucket holds is content like every other, with validators and ranges"
_FOLDERS = "a folder is found whatever the letters of the request, its own first"
_OTHER_LETTERS = (
    "page", "page of capitals in small letters", "page in capitals", "picture", "style", "script", "drawing",
)  # fmt: skip
_TOLD_OTHER_LETTERS = ("metadata", "metadata in small letters", "metadata in capitals")

IN_BOTH = (
    *ruled(_FOUND, ["page of capitals"], ("header etag", "-", "strong")),
    *ruled(_FOUND, ["p*", "style", "script", "drawing"], ("header accept-ranges", "-", "bytes")),
    *ruled(_FOUND, ["p*", "style", "script", "drawing"], ("header last-modified", "-", "a date")),
    *ruled(
        "a refusal has a body that says what is wrong",
        [name for name in _MISSING if name != "out of the site"],
        ("body", "*File Not Found*", "-"),
        ("header content-type", "text/html; charset=utf-8", "application/json"),
    ),
    *ruled(
        "metadata has two forms, by what the caller accepts",
        ["metadata*"],
        ("header vary", "accept-encoding", "accept origin"),
    ),
    *ruled(
        "answers tell nothing of the store",
        ["metadata that is missing"],
        ("json error message", "*", "*; caused by NotFoundError: no documentation is published for *"),
        ("json error cause *", "*", "*"),
    ),
)
IN_SMALL_LETTERS = (
    *ruled(_FOUND, _OTHER_LETTERS, ("header etag", "-", "strong")),
    *ruled(
        "a path names nothing outside of its site",
        ["out of the site"],
        ("status", "200", "404"),
        ("header content-type", "text/plain; charset=utf-8", "application/json"),
        ("body", "*<html>other*", "-"),
    ),
)
AS_THEY_ARE = (
    *ruled(_FOLDERS, (*_OTHER_LETTERS, *_TOLD_OTHER_LETTERS), ("status", "404", "200")),
    *ruled(_FOLDERS, _OTHER_LETTERS, ("header content-type", "text/html; charset=utf-8", "*"), ("body", "*", "*")),
    *ruled(_FOLDERS, _TOLD_OTHER_LETTERS, ("json *", "*", "*")),
    *ruled(
        "a refusal has a body that says what is wrong",
        ["out of the site"],
        ("body", "*File Not Found*", "-"),
        ("header content-type", "text/html; charset=utf-8", "application/json"),
    ),
)
CASES = {"lower": (*IN_BOTH, *IN_SMALL_LETTERS), "preserved": (*IN_BOTH, *AS_THEY_ARE)}


def _site(folder: str) -> Mapping[str, bytes]:
    name = folder.rpartition("/")[2].encode()
    files = {
        "index.html": b"<html>" + name,
        "assets/pixel.png": b"a picture",
        "assets/main.css": b"a {}",
        "assets/main.js": b"1",
        "assets/a.svg": b"<svg/>",
        "techdocs_metadata.json": b'{"site_name": "' + name + b'", "site_description": "None", "files": ["index.html"],'
        b' "build_timestamp": 1795490828636, "etag": "e"}',
    }
    return {f"{folder}/{path}": content for path, content in files.items()}


@pytest.mark.parametrize("case", CASES)
async def test_bucket_is_read_as_backstage_reads_it(tmp_path: Path, s3_server: SeaweedFS, case: str) -> None:
    bucket = s3_server.make_bucket(f"backstage-{case}")
    folders = [f"default/Component/{name}" for name in ("demo", "other", "SHOUTING")]
    objects = [_site(folder if case == "preserved" else folder.lower()) for folder in folders]
    await S3Objects(s3_server, bucket).put(**{key: content for site in objects for key, content in site.items()})
    theirs = {
        "builder": "external",
        "legacyUseCaseSensitiveTripletPaths": case == "preserved",
        "publisher": {
            "type": "awsS3",
            "awsS3": {
                "bucketName": bucket,
                "region": "us-east-1",
                "endpoint": s3_server.endpoint,
                "s3ForcePathStyle": True,
                "credentials": {"accessKeyId": ACCESS_KEY, "secretAccessKey": SECRET_KEY},
            },
        },
    }
    ours = {
        "builder": "external",
        "s3_endpoint": s3_server.endpoint,
        "s3_region": "us-east-1",
        "s3_access_key": ACCESS_KEY,
        "s3_secret_key": SECRET_KEY,
        "backstage_bucket": bucket,
        "backstage_case": case,
    }
    async with backstage_pair(tmp_path, theirs=theirs, ours=ours, published=()) as pair:
        found = await unlike(pair, bucket_requests())
    said = {name: unexplained(name, found, (*DIFFERENCES, *CASES[case])) for name in found}
    assert not {name: differing for name, differing in said.items() if differing}
    assert not {known: patterns for known in CASES[case] if (patterns := unneeded(known, found))}
