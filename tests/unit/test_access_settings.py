"""Settings of who is let in: whole groups, or a sentence that names what is missing."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from techdocs_server.cli import main
from techdocs_server.settings import SettingsInvalid, load_settings


@pytest.fixture(autouse=True)
def no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith("TECHDOCS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def file_of(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "techdocs.toml"
    path.write_text(text)
    return path


WHOLE = """
authentication = "backstage"
backstage_url = "http://127.0.0.1:7007/"
policy = "catalog"
server_listen = "0.0.0.0:7070"

[backstage_plugin_urls]
catalog = "http://127.0.0.1:7008/api/catalog"

[[external_access]]
type = "static"
token = "secret-of-the-pipeline"
subject = "ci"
permissions = ["publish"]
access_restrictions = [{plugin = "techdocs"}]

[[external_access]]
type = "jwks"
url = "https://provider.example/keys?v=1"
issuer = "https://provider.example"
audience = ["techdocs", "docs"]
algorithm = "ES256"
subject_prefix = "provider"

[[external_access]]
type = "legacy"
secret = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY"
subject = "old"

[[grants]]
subject = "user:default/*"
permissions = ["admin", "read"]
"""


def test_everything_is_read_and_needs_no_permission_to_listen(tmp_path: Path) -> None:
    settings = load_settings(file_of(tmp_path, WHOLE), os.environ)
    assert (settings.authentication, settings.policy) == ("backstage", "catalog")
    assert settings.backstage_url == "http://127.0.0.1:7007"
    static, jwks, legacy = settings.external_access
    assert static.token is not None
    assert static.token.get_secret_value() == "secret-of-the-pipeline"
    assert (jwks.issuer, jwks.audience, jwks.algorithm) == (
        ("https://provider.example",),
        ("techdocs", "docs"),
        ("ES256",),
    )
    assert legacy.secret is not None
    assert settings.grants[0].permissions == ("admin", "read")


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["--config", str(file_of(tmp_path, WHOLE)), "check-config"]).output
    assert 'authentication = "backstage"' in shown
    assert "provider.example" in shown
    assert "secret-of-the-pipeline" not in shown
    assert "QUJDREVGR0hJ" not in shown


TOKENS = 'authentication = "tokens"\n'
JWKS = '\n[[external_access]]\ntype = "jwks"\n'
STATIC = '[[external_access]]\ntype = "static"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('authentication = "backstage"', "backstage_url: must be set"),
        ('authentication = "tokens"', "external_access: must have a table"),
        ('authentication = "both"', "authentication"),
        (STATIC + 'token = "12345678"\nsubject = "ci"', "external_access: has no effect"),
        ('[[grants]]\nsubject = "*"\npermissions = ["admin"]', "grants: has no effect"),
        ('policy = "catalog"', "policy: catalog needs callers that are known"),
        ('backstage_url = "127.0.0.1:7007"', "backstage_url"),
        ('backstage_url = "http://me:secret@host"', "backstage_url"),
        ('backstage_url = "file:///etc/passwd"', "backstage_url"),
        ('[backstage_plugin_urls]\n"../x" = "http://host"', "backstage_plugin_urls"),
        ('[backstage_plugin_urls]\ncatalog = "host"', "backstage_plugin_urls.catalog"),
        (STATIC + 'subject = "ci"', "external_access.0 (TECHDOCS_EXTERNAL_ACCESS): token: must be set"),
        (STATIC + 'token = "12345678"', "external_access.0 (TECHDOCS_EXTERNAL_ACCESS): subject: must be set"),
        (STATIC + 'token = "1234567"\nsubject = "ci"', "at least 8 characters"),
        (STATIC + 'token = "**********"\nsubject = "ci"', "in place of the token"),
        (STATIC + 'token = "1234 5678"\nsubject = "ci"', "no spaces"),
        (STATIC + 'token = "12345678"\nsubject = "c i"', "external_access.0.subject"),
        (STATIC + 'token = "12345678"\nsubject = "ci"\nurl = "http://host"', "url: means nothing where type is static"),
        (STATIC + 'token = "12345678"\nsubject = "ci"\nname = "x"', "external_access.0.name"),
        (STATIC + 'token = "12345678"\nsubject = "ci"\npermissions = ["all"]', "external_access.0.permissions.0"),
        ('[[external_access]]\ntype = "jwks"', "subject_prefix: must be set where type is jwks"),
        ('[[external_access]]\ntype = "jwks"\nsubject_prefix = "p"', "url: must be set where type is jwks"),
        (JWKS + 'url = "http://h/k"', "subject_prefix: must be set where type is jwks"),
        (JWKS + 'url = "http://h/k"\nsubject_prefix = ""', "external_access.0.subject_prefix"),
        (
            f'{TOKENS}{JWKS}url = "http://h/k"\nsubject_prefix = "p"\n{STATIC}token = "12345678"\nsubject = "p:ci"',
            "external_access: subject_prefix 'p' has the names of another table below it",
        ),
        (
            f"""{TOKENS}{JWKS}url = "http://h/k"\nsubject_prefix = "p"
            {STATIC}token = "12345678"\nsubject = "external:p:ci\"""",
            "external_access: subject_prefix 'p' has the names of another table below it",
        ),
        (
            f'{TOKENS}{JWKS}url = "http://h/k"\nsubject_prefix = "p"\n{JWKS}url = "http://g/k"\nsubject_prefix = "p:q"',
            "external_access: subject_prefix 'p' has the names of another table below it",
        ),
        (
            '[[external_access]]\ntype = "jwks"\nurl = "http://h/k"\nalgorithm = "HS256"',
            "external_access.0.algorithm.0",
        ),
        ('[[external_access]]\ntype = "jwks"\nurl = "http://h/k"\nalgorithm = "none"', "external_access.0.algorithm.0"),
        ('[[external_access]]\ntype = "jwks"\nurl = "ftp://h/k"', "external_access.0.url"),
        ('[[external_access]]\ntype = "legacy"\nsecret = "QUJD"\nsubject = "x"', "at least 16 bytes"),
        ('[[external_access]]\ntype = "legacy"\nsecret = "' + "!" * 40 + '"\nsubject = "x"', "must be base64"),
        ('[[external_access]]\ntype = "magic"', "external_access.0.type"),
        (
            'authentication = "backstage"\nbackstage_url = "http://h"\n[[grants]]\nsubject = "x"\npermissions = []',
            "grants.0",
        ),
    ],
)
def test_half_or_wrong_settings_are_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(file_of(tmp_path, text), os.environ)
    assert any(says in problem for problem in caught.value.problems), caught.value.problems
    assert not any("12345" in problem or "secret@" in problem for problem in caught.value.problems)


def test_listening_beyond_this_machine_needs_authentication_or_the_operators_word(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="authentication is none; set authentication"):
        load_settings(file_of(tmp_path, 'server_listen = "0.0.0.0:7070"'), os.environ)
    whole = STATIC + 'token = "12345678"\nsubject = "ci"'
    for addresses in ('server_listen = "0.0.0.0:7070"', 'bridge_listen = "0.0.0.0:7071"'):
        load_settings(file_of(tmp_path, f'authentication = "tokens"\n{addresses}\n{whole}'), os.environ)
