import ipaddress

import pytest

from controlplane import env


@pytest.fixture
def declared(monkeypatch):
    """The declarations as before the test."""
    monkeypatch.setattr(env, "DECLARED", {})
    return env.DECLARED


@pytest.fixture
def setting(monkeypatch, declared):
    """Set or unset the variable THING."""
    monkeypatch.delenv("THING", raising=False)
    monkeypatch.delenv("THING_FILE", raising=False)
    return lambda value: monkeypatch.setenv("THING", value)


def test_a_missing_value_is_a_sentence_with_its_purpose(setting):
    with pytest.raises(env.SettingError, match=r"^THING is not set: what it is for$"):
        env.text("THING", "what it is for")
    with pytest.raises(env.SettingError, match=r"THING \(or THING_FILE\) is not set"):
        env.text("THING", "what it is for", secret=True)


def test_an_empty_value_counts_as_missing(setting):
    setting("")
    assert env.text("THING", "p", default="d") == "d"


def test_every_read_is_declared_and_no_secret_default_is_shown(setting, declared):
    env.text("THING", "p", default="hidden", secret=True)
    assert env.DECLARED["THING"] == env.Declaration("THING", "p", "", secret=True)


def test_a_secret_comes_from_its_file_before_the_variable(setting, monkeypatch, tmp_path):
    setting("variable")
    (tmp_path / "file").write_text("from file\n", encoding="utf-8")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "file"))
    assert env.text("THING", "p", secret=True) == "from file"
    assert env.text("THING", "p") == "variable"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_an_unreadable_secret_file_stops_the_start(setting, monkeypatch, tmp_path, content):
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("THING_FILE", str(path))
    with pytest.raises(env.SettingError, match=r"THING_FILE names .* which cannot be read"):
        env.text("THING", "p", secret=True)


@pytest.mark.parametrize("value", ["0", "11", "-1", "1.5", "two", "٣", " 3"])
def test_a_number_out_of_bounds_or_malformed_is_refused(setting, value):
    setting(value)
    with pytest.raises(env.SettingError, match="must be a whole number from 1 to 10"):
        env.integer("THING", "p", default=3, minimum=1, maximum=10)


def test_a_number_within_bounds_is_read(setting):
    setting("10")
    assert env.integer("THING", "p", default=3, minimum=1, maximum=10) == 10


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("False", False)])
def test_a_boolean_is_one_of_two_words(setting, value, expected):
    setting(value)
    assert env.boolean("THING", "p", default=not expected) is expected


@pytest.mark.parametrize("value", ["1", "yes", "on"])
def test_other_words_are_no_boolean(setting, value):
    setting(value)
    with pytest.raises(env.SettingError, match="'true' or 'false'"):
        env.boolean("THING", "p", default=False)


@pytest.mark.parametrize(
    "value", ["holdfast.example", "ftp://h", "https://", "https://h?q=1", "https://h/#f", "https://user@h"]
)
def test_a_malformed_web_address_is_refused(setting, value):
    setting(value)
    with pytest.raises(env.SettingError, match="THING must be an http or https URL"):
        env.web_url("THING", "p", default="http://h")


def test_a_web_address_loses_its_trailing_slash(setting):
    setting("https://holdfast.example/")
    assert env.web_url("THING", "p", default="http://h") == "https://holdfast.example"


def test_a_choice_is_one_of_its_words(setting):
    setting("open")
    assert env.choice("THING", "p", default="off", choices=("off", "open")) == "open"
    setting("Open")
    with pytest.raises(env.SettingError, match="THING must be one of off, open, not 'Open'"):
        env.choice("THING", "p", default="off", choices=("off", "open"))


def test_web_addresses_are_read_as_they_stand(setting):
    setting(" https://a.example/x  https://b.example/,https://c.example")
    assert env.web_urls("THING", "p") == ("https://a.example/x", "https://b.example/", "https://c.example")
    setting("https://a.example http://b.example")
    with pytest.raises(env.SettingError, match="THING must list https URLs"):
        env.web_urls("THING", "p")


def test_networks_are_read(setting):
    setting("127.0.0.0/8, ::1/128,")
    assert env.networks("THING", "p") == (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@pytest.mark.parametrize("value", ["localhost", "10.0.0.1/8", "300.0.0.0/8"])
def test_a_malformed_network_is_refused(setting, value):
    setting(value)
    with pytest.raises(env.SettingError, match="THING must list networks"):
        env.networks("THING", "p")


def test_a_database_url_becomes_djangos_entry(setting):
    setting("postgresql://role:secret@db.example:5433/name?sslmode=verify-full&connect_timeout=3")
    assert env.database("THING", "p") == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "name",
        "USER": "role",
        "PASSWORD": "secret",
        "HOST": "db.example",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "verify-full", "connect_timeout": "3"},
    }


def test_a_socket_directory_is_a_host(setting):
    setting("postgresql://role@/name?host=%2Frun%2Fpg")
    assert env.database("THING", "p")["HOST"] == "/run/pg"


def test_a_malformed_database_url_is_refused(setting):
    setting("postgresql://h/n?nonsense=1")
    with pytest.raises(env.SettingError, match="THING is not a PostgreSQL connection URI"):
        env.database("THING", "p")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("redis://127.0.0.1:6379/2", "redis://127.0.0.1:6379/2"),
        ("unix:///run/valkey.sock", "redis+socket:///run/valkey.sock"),
        ("unix:///run/valkey.sock?db=1", "redis+socket:///run/valkey.sock?virtual_host=1"),
    ],
)
def test_the_broker_is_the_same_database_in_kombus_spelling(given, expected):
    assert env.broker_url(given) == expected


def test_a_web_url_may_be_nothing_where_that_is_the_default(setting):
    assert env.web_url("THING", "p", default="") == ""
    setting("http://collector:4318/")
    assert env.web_url("THING", "p", default="") == "http://collector:4318"
    setting("collector:4318")
    with pytest.raises(env.SettingError, match="must be an http or https URL"):
        env.web_url("THING", "p", default="")


@pytest.mark.parametrize(("value", "read"), [("0", 0.0), ("1", 1.0), ("0.25", 0.25), ("1.0", 1.0)])
def test_a_ratio_is_a_number_from_0_to_1(setting, value, read):
    setting(value)
    assert env.ratio("THING", "p", default=1.0) == read


@pytest.mark.parametrize("value", ["1.1", "-0.5", "nan", "inf", "half", "1e-3", "\u0660", ".5"])
def test_any_other_ratio_is_refused(setting, value):
    setting(value)
    with pytest.raises(env.SettingError, match="must be a number from 0 to 1"):
        env.ratio("THING", "p", default=1.0)


def test_a_token_may_be_missing_and_comes_from_its_file_too(setting, monkeypatch, tmp_path, declared):
    assert env.token("THING", "p") == ""
    assert declared["THING"].secret
    (tmp_path / "file").write_text("t" * 16 + "\n", encoding="utf-8")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "file"))
    assert env.token("THING", "p") == "t" * 16


@pytest.mark.parametrize("value", ["short", "t" * 15, "two words in a token", "t" * 16 + "\u00e9", "t" * 16 + "\n"])
def test_a_token_that_is_short_or_no_token_is_refused_and_not_repeated(setting, value):
    setting(value)
    with pytest.raises(env.SettingError, match="at least 16 characters") as refused:
        env.token("THING", "p")
    assert value not in str(refused.value)


def test_headers_are_pairs_percent_encoded(setting, declared):
    assert env.pairs("THING", "p") == {}
    setting("Authorization=Bearer%20a%3Db, x-team=blue,")
    assert env.pairs("THING", "p") == {"authorization": "Bearer a=b", "x-team": "blue"}
    assert declared["THING"].secret


@pytest.mark.parametrize("value", ["canary", "a b=canary", "x=canary%0D%0Ay: z", "x=canary\u00e9", "=canary"])
def test_headers_that_are_none_are_refused_and_not_repeated(setting, value):
    setting(value)
    with pytest.raises(env.SettingError, match="must list headers") as refused:
        env.pairs("THING", "p")
    assert "canary" not in str(refused.value)


def test_a_secret_of_webhooks_is_base64_with_or_without_its_prefix(setting):
    for value in ("", "whsec_" + "YWFh" * 8, "YWFh" * 8):
        setting(value)
        assert env.webhook_secret("THING", "signs") == value


@pytest.mark.parametrize("value", ["whsec_nonsense!", "whsec_YWFh"])
def test_what_is_no_secret_of_webhooks_is_refused_and_not_repeated(setting, value):
    setting(value)
    with pytest.raises(env.SettingError) as refused:
        env.webhook_secret("THING", "signs")
    assert value not in str(refused.value)
