"""Settings: who wins, what is warned of, and errors that name the setting and where it was set."""

from pathlib import Path

import pytest

from proxy.settings import Endpoint, Listener, ListenMode, SettingsError, load


def file(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "schoolgate.toml"
    path.write_text(text)
    return {"SCHOOLGATE_CONFIG": str(path)}


def test_the_environment_wins_over_the_file_and_that_over_the_defaults(tmp_path):
    """In that order of rank."""
    environment = file(tmp_path, 'status = "127.0.0.1:1"\nresolver = ["10.0.0.53"]\n')
    loaded = load({**environment, "SCHOOLGATE_STATUS": "127.0.0.1:2", "SCHOOLGATE_STATE_DIR": "/srv/gate"})
    assert loaded.settings.status == Endpoint("127.0.0.1", 2)
    assert loaded.settings.resolver == ("10.0.0.53",)
    assert loaded.settings.store_url == "sqlite:////srv/gate/schoolgate.db"
    assert loaded.warnings == ()


def test_a_list_is_written_with_commas_in_the_environment():
    """Spaces around them are nothing."""
    loaded = load({"SCHOOLGATE_LISTEN": "explicit@127.0.0.1:8080 , transparent@[::]:8081"})
    assert loaded.settings.listen == (
        Listener(ListenMode.EXPLICIT, Endpoint("127.0.0.1", 8080)),
        Listener(ListenMode.TRANSPARENT, Endpoint("::", 8081)),
    )
    assert str(loaded.settings.listen[1]) == "transparent@[::]:8081"


@pytest.mark.parametrize(
    ("name", "value"), [("HOST_NAME", "Gate.School.Example."), ("TLS_CERTIFICATE", "/etc/schoolgate/gate.pem")]
)
def test_a_listener_behind_tls_has_something_to_show(name, value):
    """A name to be certified, or a certificate."""
    settings = load({"SCHOOLGATE_LISTEN": "explicit+tls@:8443", f"SCHOOLGATE_{name}": value}).settings
    assert settings.listen == (Listener(ListenMode.EXPLICIT_TLS, Endpoint("", 8443)),)
    assert (settings.host_name, settings.tls_certificate) in [
        ("gate.school.example", None),
        (None, Path("/etc/schoolgate/gate.pem")),
    ]


@pytest.mark.parametrize("value", ["off", "optional", "required"])
def test_whether_people_sign_in_is_one_of_three(value):
    """Whatever the listeners."""
    assert load({"SCHOOLGATE_PROXY_AUTH": value}).settings.proxy_auth == value


def test_an_unknown_setting_is_warned_of_with_its_place(tmp_path):
    """And otherwise ignored: an older schoolgate runs on a newer file."""
    environment = file(tmp_path, "colour = 1\n")
    loaded = load({**environment, "SCHOOLGATE_LISTN": "x"})
    assert any("colour" in warning and environment["SCHOOLGATE_CONFIG"] in warning for warning in loaded.warnings)
    assert any(warning.startswith("SCHOOLGATE_LISTN: ") for warning in loaded.warnings)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("LISTEN", "127.0.0.1:8080", "explicit@HOST:PORT"),
        ("LISTEN", "reverse@127.0.0.1:8080", "explicit@HOST:PORT"),
        ("STATUS", "127.0.0.1", "HOST:PORT"),
        ("STATUS", "127.0.0.1:99999", "HOST:PORT"),
        ("LANE", "fast", "auto"),
        ("LISTEN", "", "explicit@127.0.0.1:8080"),
        ("LISTEN", "explicit+tls@127.0.0.1:8443", "`host_name`"),
        ("PROXY_AUTH", "always", "'optional'"),
        ("HOST_NAME", "10.0.0.1", "gate.school.example"),
        ("HOST_NAME", "gate school", "gate.school.example"),
        ("WORKERS", "4", "only 1 works so far"),
        ("WORKERS", "many", "integer"),
    ],
)
def test_a_wrong_setting_says_where_it_was_set_and_what_was_expected(name, value, expected):
    """One line for each, beginning with its source."""
    with pytest.raises(SettingsError) as caught:
        load({f"SCHOOLGATE_{name}": value})
    assert str(caught.value).startswith(f"SCHOOLGATE_{name}: {name.lower()}: ")
    assert expected in str(caught.value)


@pytest.mark.parametrize("text", ["listen = ", "\x00", "=", "[[[", "a = 1\na = 2\n"])
def test_a_file_that_is_no_toml_is_an_error_that_names_it(tmp_path, text):
    """Never a silent default."""
    environment = file(tmp_path, text)
    with pytest.raises(SettingsError, match="cannot be read as settings"):
        load(environment)


def test_a_file_that_was_named_must_be_there(tmp_path):
    """The default one need not."""
    with pytest.raises(SettingsError, match="no such settings file"):
        load({"SCHOOLGATE_CONFIG": str(tmp_path / "nowhere.toml")})
