"""What looks like a secret is never stored; what does not is stored as it came.

The secrets are put together here, so that no scanner finds them in this file.
"""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.secret_scan import is_secret_name, scan

R = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"
HEX = "0123456789abcdef" * 4
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow" + R + "\n-----END RSA PRIVATE KEY-----"
SECRETS = {
    "AWS access key": "AKIA" + "IOSFODNN7EXAMPLE",
    "Google API key": "AIza" + R[:35],
    "Google access token": "ya29." + R,
    "Google client secret": "GOCSPX-" + R[:28],
    "GitHub token": "ghp_" + R[:36],
    "GitHub fine-grained token": "github_pat_" + R,
    "GitLab token": "glpat-" + R[:20],
    "Slack token": "xoxb-" + "123456789012-" + R[:24],
    "Slack webhook": "https://hooks.slack.com/services/" + "T0001/B0002/" + R[:24],
    "Stripe key": "sk_live_" + R[:24],
    "Stripe webhook secret": "whsec_" + R[:32],
    "OpenAI key": "sk-proj-" + R,
    "npm token": "npm_" + R[:36],
    "PyPI token": "pypi-" + R + R,
    "Hugging Face token": "hf_" + R[:34],
    "SendGrid key": "SG." + R[:22] + "." + R[:32],
    "Azure client secret": "abc8Q~" + R[:34],
    "JWT": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0." + R,
    "Holdfast agent token": "hf.01234567." + HEX + "." + HEX[:32],
    "Holdfast API token": "hfp_01234567_" + HEX + "_" + HEX[:32],
    "private key": KEY,
    "private key without an end": KEY[:60],
}
BESIDE = {
    "password: {}": "hunter22",
    "PASSWORD={}": "hunter22",
    '{{"password": "{}"}}': "hunter22",
    "pwd = '{}'": "hunter22",
    "api_key={}": R,
    "export ACCESS_TOKEN={}": R,
    "?token={}&x=1": R,
    "DefaultEndpointsProtocol=https;AccountKey={};": R + "==",
    "Authorization: Bearer {}": R,
    "authorization: basic {}": "dXNlcjpodW50ZXIyMg==",
    "postgresql://ada:{}@db.example.com/app": "hunter22",
    "redis://:{}@cache:6379/0": "hunter22",
}


def written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def scanned(value: Any) -> tuple[Any, int]:
    return scan(value, written(value))


def holds(value: Any, secret: str) -> bool:
    return written(secret)[1:-1] in written(value)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("around", ["{}", "see {} there", '{{"x": "{}"}}', "a\n{}\nb", "a={}"])
def test_what_looks_like_a_secret_is_left_out_wherever_it_stands(secret: str, around: str) -> None:
    for value in ({"text": around.format(secret)}, [around.format(secret)], {around.format(secret): 1}):
        found, count = scanned(value)
        assert count >= 1
        assert not holds(found, secret)
        assert "left out" in str(found)


@pytest.mark.parametrize(("around", "secret"), BESIDE.items())
def test_what_stands_beside_a_telling_name_is_left_out(around: str, secret: str) -> None:
    found, count = scanned({"text": f"before {around.format(secret)} after"})
    assert count == 1
    assert not holds(found, secret)
    assert found["text"].startswith("before ")


def test_a_member_with_a_telling_name_says_nothing() -> None:
    value = {"password": "x", "clientSecret": ["a", {"b": "c"}], "API-Key": 17, "auth": {"user": "ada"}}
    found, count = scanned(value)
    assert count == 5
    assert not any(secret in str(found.values()) for secret in ("'x'", "'a'", "'c'", "17", "ada"))
    assert scanned({"headers": [{"name": "Authorization", "value": "zzz"}]})[1] == 1
    assert scanned({"password": None, "token": "", "secret": True})[1] == 0


@pytest.mark.parametrize(
    "innocent",
    [
        {"text": "The key to a good password is its length. Tokens: 12. Basic understanding, bearer of news."},
        {"nextPageToken": "abc", "max_tokens": 12, "keyboard": "qwerty"},
        {"url": "https://example.com/a:b@c?page=2", "path": "/task-one-that-is-long-enough-to-look-odd"},
        {"id": "0193e2c5-7b1e-7c55-8d43-2f6f3e9a4b10", "sha": HEX, "key": "name"},
        {"text": "AKIA and ghp_ and eyJ are prefixes", "n": [1, 2.5, None, True]},
    ],
)
def test_what_is_no_secret_comes_back_as_it_is(innocent: Any) -> None:
    assert scanned(innocent) == (innocent, 0)
    assert scanned(innocent)[0] is innocent


JSON = st.recursive(
    st.none() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(value=JSON, secret=st.sampled_from([*SECRETS.values()]))
def test_the_rest_stays_and_the_input_is_not_changed(value: Any, secret: str) -> None:
    both = {"rest": value, "found": secret}
    before = copy.deepcopy(both)
    found, count = scanned(both)
    assert both == before
    assert count >= 1
    assert not holds(found, secret)


def test_several_secrets_in_one_text_are_all_left_out() -> None:
    text = " ".join([*SECRETS.values()])
    found, _ = scanned({"text": text})
    assert not any(holds(found, secret) for secret in SECRETS.values())


@pytest.mark.parametrize("rubbish", ["eyJ.", "://a:", "token=", "-----BEGIN ", "AKIA", "key=\\", "8Q~", "bearer "])
def test_a_text_made_to_be_slow_is_scanned_in_one_pass(rubbish: str) -> None:
    """No clock: the count of steps would be quadratic, and the test would not come to an end."""
    scanned({"text": rubbish * (500_000 // len(rubbish))})


def test_names_are_known_without_regard_to_their_spelling() -> None:
    assert all(map(is_secret_name, ("password", "Client-Secret", "AWS_SECRET_ACCESS_KEY", "x-api-key", "dbPassword")))
    assert not any(map(is_secret_name, ("", "token_count", "nextPageToken", "secretary", "x" * 200)))
