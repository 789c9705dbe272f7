import os
from pathlib import Path

import pytest
from techdocs_server.settings import ListenAddress, Settings, SettingsInvalid, load_settings

PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith("TECHDOCS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def given(monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
    """Set TECHDOCS_<NAME> for each name."""
    for name, value in environment.items():
        monkeypatch.setenv(f"TECHDOCS_{name.upper()}", value)


def file_of(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "techdocs.toml"
    path.write_text(text)
    return path


def problems(config: Path | None = None) -> list[str]:
    """Load settings that must be refused and return what is said of them."""
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(config, os.environ)
    return caught.value.problems


def test_without_anything_the_defaults_hold() -> None:
    settings = load_settings(None, os.environ)
    assert (str(settings.server_listen), str(settings.bridge_listen)) == ("127.0.0.1:7070", "127.0.0.1:7071")
    assert not settings.serve_without_authentication


def test_a_variable_of_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, build_concurrency="7", server_listen="[::1]:0", log_format="json", bridge_mount="")
    settings = load_settings(None, os.environ)
    assert (settings.build_concurrency, settings.log_format, settings.bridge_mount) == (7, "json", "")
    assert settings.server_listen == ListenAddress("::1", 0)


def test_a_key_of_the_file_is_read(tmp_path: Path) -> None:
    settings = load_settings(file_of(tmp_path, "build_concurrency = 3\nlog_level = 'debug'\n"), os.environ)
    assert (settings.build_concurrency, settings.log_level) == (3, "debug")


def test_the_file_may_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given(monkeypatch, config=str(file_of(tmp_path, "build_concurrency = 3\n")))
    assert load_settings(None, os.environ).build_concurrency == 3


def test_the_option_wins_over_the_file_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given(monkeypatch, config=str(tmp_path / "absent.toml"))
    assert load_settings(file_of(tmp_path, "build_concurrency = 3\n"), os.environ).build_concurrency == 3


def test_the_environment_wins_over_the_file_key_by_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given(monkeypatch, build_concurrency="7")
    settings = load_settings(file_of(tmp_path, "build_concurrency = 3\nbuild_queue_limit = 4\n"), os.environ)
    assert (settings.build_concurrency, settings.build_queue_limit) == (7, 4)


@pytest.mark.parametrize(
    ("name", "meant"), [("BUILD_CONCURENCY", "build_concurrency"), ("SERVER_LISTN", "server_listen")]
)
def test_an_unknown_variable_is_refused_with_the_one_that_was_meant(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    given(monkeypatch, **{name: "1"})
    [problem] = problems()
    assert f"TECHDOCS_{name}" in problem
    assert f"did you mean {meant}?" in problem


def test_an_unknown_variable_like_nothing_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, zzz="1")
    assert problems() == ["environment variable TECHDOCS_ZZZ is not a setting"]


def test_an_unknown_key_is_refused_with_the_file_and_the_key_that_was_meant(tmp_path: Path) -> None:
    path = file_of(tmp_path, "log_levle = 'info'\n")
    [problem] = problems(path)
    assert str(path) in problem
    assert "log_levle" in problem
    assert "did you mean log_level?" in problem


def test_a_section_is_an_unknown_key(tmp_path: Path) -> None:
    [problem] = problems(file_of(tmp_path, "[server]\nlisten = '127.0.0.1:1'\n"))
    assert "server is not a setting" in problem


def test_every_unknown_name_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given(monkeypatch, one="1", two="2")
    assert len(problems(file_of(tmp_path, "three = 3\n"))) == 3


@pytest.mark.parametrize(
    ("given_half", "missing"),
    [("server_tls_certificate", "server_tls_key"), ("server_tls_key", "server_tls_certificate")],
)
def test_half_of_the_tls_pair_is_refused_by_the_name_of_the_other(
    monkeypatch: pytest.MonkeyPatch, given_half: str, missing: str
) -> None:
    given(monkeypatch, **{given_half: "file.pem"})
    [problem] = problems()
    assert problem.startswith(missing)


def test_a_pair_may_be_half_in_the_file_and_half_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given(monkeypatch, server_tls_key="key.pem")
    settings = load_settings(file_of(tmp_path, "server_tls_certificate = 'cert.pem'\n"), os.environ)
    assert (settings.server_tls_certificate, settings.server_tls_key) == (Path("cert.pem"), Path("key.pem"))


@pytest.mark.parametrize("setting", ["server_listen", "bridge_listen"])
@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1", "example.com", "[2001:db8::1]"])  # noqa: S104 - refused
def test_an_address_that_others_reach_is_refused(monkeypatch: pytest.MonkeyPatch, setting: str, host: str) -> None:
    given(monkeypatch, **{setting: f"{host}:7070"})
    [problem] = problems()
    assert setting in problem
    assert "serve_without_authentication" in problem
    assert f"{host}:7070" in problem


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1", "example.com"])  # noqa: S104 - accepted in words
def test_an_address_that_others_reach_is_taken_when_that_is_accepted_in_words(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    given(monkeypatch, server_listen=f"{host}:7070", serve_without_authentication="true")
    assert str(load_settings(None, os.environ).server_listen) == f"{host}:7070"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "[::1]", "localhost"])
def test_loopback_needs_no_words(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    given(monkeypatch, server_listen=f"{host}:7070", bridge_listen=f"{host}:7071")
    assert load_settings(None, os.environ).server_listen.is_loopback


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("server_listen", "7070"),
        ("server_listen", "127.0.0.1"),
        ("server_listen", "127.0.0.1:65536"),
        ("server_listen", "127.0.0.1:http"),
        ("server_listen", ":7070"),
        ("server_listen", ""),
        ("bridge_listen", "127.0.0.1:-1"),
        ("server_drain_seconds", "0"),
        ("server_drain_seconds", "soon"),
        ("server_max_concurrent_calls", "0"),
        ("server_reflection_enabled", "perhaps"),
        ("build_concurrency", "-1"),
        ("build_concurrency", "1.5"),
        ("build_queue_limit", "0"),
        ("build_timeout_seconds", "-0.1"),
        ("source_max_bytes", "1 GiB"),
        ("site_max_files", "0"),
        ("site_max_files", str(2**31)),  # more than the contract can tell clients
        ("site_max_bytes", str(2**63)),
        ("log_level", "loud"),
        ("log_format", "xml"),
        ("bridge_mount", "api"),
        ("bridge_mount", "/api/"),
        ("bridge_mount", "//api"),
        ("serve_without_authentication", "2"),
    ],
)
def test_a_bad_value_names_its_setting(monkeypatch: pytest.MonkeyPatch, setting: str, value: str) -> None:
    given(monkeypatch, **{setting: value})
    [problem] = problems()
    assert problem.startswith(f"{setting} (TECHDOCS_{setting.upper()}): ")
    assert "Value error" not in problem


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("setting", ["server_drain_seconds", "build_timeout_seconds"])
def test_a_time_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch, setting: str, value: str) -> None:
    given(monkeypatch, **{setting: value})
    [problem] = problems()
    assert problem.startswith(setting)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("build_concurrency = \n", "is not TOML"),
        ("build_concurrency = 1\nbuild_concurrency = 2\n", "is not TOML"),
    ],
)
def test_a_broken_file_is_refused_by_its_name(tmp_path: Path, text: str, words: str) -> None:
    path = file_of(tmp_path, text)
    [problem] = problems(path)
    assert str(path) in problem
    assert words in problem


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "techdocs.toml"
    path.write_bytes(b"\xff\xfe\x00")
    [problem] = problems(path)
    assert str(path) in problem


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    [problem] = problems(tmp_path / "absent.toml")
    assert "absent.toml: cannot be read: No such file" in problem


def test_settings_cannot_be_changed_after_the_start() -> None:
    settings = load_settings(None, os.environ)
    with pytest.raises(ValueError, match="frozen"):
        settings.build_concurrency = 3


def test_the_manual_names_every_setting_with_its_default() -> None:
    rows = {}
    for line in (PROJECT / "docs" / "configuration.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 5 and cells[1].startswith("`") and cells[2] not in ("runs", ""):
            rows[cells[1].strip("`")] = cells[2].strip("`")
    defaults = {name: field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()}
    assert set(rows) == set(defaults)
    for name, default in defaults.items():
        if default is None or default == ():
            assert rows[name] in ("none", "this Python"), name
        elif isinstance(default, bool):
            assert rows[name] == str(default).lower(), name
        elif isinstance(default, float):
            assert float(rows[name]) == default, name
        else:
            assert rows[name] == str(default), name


def test_the_token_of_the_client_is_no_unknown_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TECHDOCS_TOKEN", "anything")
    assert load_settings(None, os.environ).build_concurrency == 2


@pytest.mark.parametrize(("ours", "theirs"), [("", ""), ("techdocs/", ""), ("", "docs/"), ("docs/ours/", "docs/")])
def test_contents_and_classic_sites_in_one_bucket_have_places_apart(
    monkeypatch: pytest.MonkeyPatch, ours: str, theirs: str
) -> None:
    given(monkeypatch, s3_bucket="one", backstage_bucket="one", s3_prefix=ours, backstage_prefix=theirs)
    [problem] = problems()
    assert "backstage_prefix" in problem
    given(monkeypatch, s3_bucket="another")
    load_settings(None, os.environ)
    given(monkeypatch, s3_bucket="one", s3_prefix="ours/", backstage_prefix="theirs/")
    load_settings(None, os.environ)


@pytest.mark.parametrize(
    ("more", "named"),
    [({}, "backstage_bucket"), ({"backstage_bucket": "one", "backstage_case": "preserved"}, "backstage_case")],
    ids=["no bucket", "any case"],
)
def test_a_mirror_needs_a_bucket_with_folders_in_lower_case(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, str], named: str
) -> None:
    given(monkeypatch, mirror_classic="true", **more)
    [problem] = problems()
    assert problem.startswith(f"{named}: ")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"catalog_type": "backstage"}, "backstage_url"),
        ({"catalog_file_root": "/srv"}, "catalog_file_root"),
        ({"catalog_type": "url"}, "catalog_type"),
        ({"builder": "nobody"}, "builder"),
    ],
)
def test_catalog_that_cannot_be_asked_is_refused(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], named: str
) -> None:
    given(monkeypatch, **settings)
    [problem] = problems()
    assert problem.startswith(named)


@pytest.mark.parametrize(
    "address",
    [
        {"backstage_url": "http://127.0.0.1:7007"},
        {"backstage_plugin_urls": '{"catalog": "http://127.0.0.1:7007/api/catalog"}'},
    ],
)
def test_catalog_of_backstage_needs_one_address(monkeypatch: pytest.MonkeyPatch, address: dict[str, str]) -> None:
    given(monkeypatch, catalog_type="backstage", **address)
    settings = load_settings(None, os.environ)
    assert (settings.catalog_type, settings.builder) == ("backstage", "local")
