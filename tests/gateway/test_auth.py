"""Bearer tokens of the header, and what a refusal tells the client."""

import pytest

from access.policy import Denied
from access.rules import Rule
from core.sampling import Sampler
from gateway.auth import authenticate, challenge, presented, refused
from gateway.errors import Refused
from gateway.front import read_head
from gateway.kept_tokens import Bearer
from gateway.site import Site
from gateway.snapshot import Token
from tests.gateway.test_snapshot import token

SITE = Site(gateway_url="https://gw.example/mcp", issuer="https://hold.example")
METADATA = 'resource_metadata="https://gw.example/.well-known/oauth-protected-resource/mcp/files"'


@pytest.fixture(autouse=True)
def nobody_sent_rubbish_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_STRANGERS", "_TOKENLESS"):
        monkeypatch.setattr(f"gateway.auth.{name}", Sampler(limit=30, window=60))


class Known:
    """Knows the token `good`; issued `old` once."""

    async def token(self, bearer: Bearer) -> Token | None:
        return token() if bearer.raw == "good" else None

    def is_ours(self, bearer: Bearer) -> bool:
        return bearer.raw == "old"


async def ask(*values: str) -> Token:
    """Authenticate a request with these `Authorization` lines."""
    head = read_head(
        "POST", "/mcp/files", b"access_token=good", [(b"Authorization", value.encode()) for value in values]
    )
    return await authenticate(head, presented(head), "files", site=SITE, tokens=Known())


@pytest.mark.parametrize("value", ["Bearer good", "bearer good", "BEARER   good"])
async def test_a_good_token_is_its_holder(value: str) -> None:
    assert await ask(value) == token()


@pytest.mark.parametrize(
    "values",
    [[], [""], ["good"], ["Basic good"], ["Bearer"], ["Bearer "], ["Bearer good good"], ["Bearer good,x"],
     ["Bearer go\todd"], ["Bearer bad"], ["Bearer old"], ["Bearer " + "x" * 5000], ["bearer=good"]],
)  # fmt: skip
async def test_anything_else_is_refused_with_a_challenge(values: list[str]) -> None:
    with pytest.raises(Refused) as found:
        await ask(*values)
    name, value = found.value.headers[0]
    assert (found.value.status, name) == (401, "www-authenticate")
    assert METADATA in value
    assert 'scope="mcp:connect mcp:files:call mcp:files:read"' in value
    assert ("error=" in value) == bool(values)
    assert found.value.recorded_as is not None


async def test_what_we_never_made_is_recorded_as_a_sample_and_what_we_made_each_time() -> None:
    told = {"": 0, "Bearer bad": 0, "Bearer old": 0}
    for sent in [*told] * 40:
        with pytest.raises(Refused) as found:
            await ask(*filter(None, [sent]))
        told[sent] += found.value.recorded_as is not None
    assert told == {"": 30, "Bearer bad": 30, "Bearer old": 40}


@pytest.mark.parametrize(
    ("denied", "status", "parts"),
    [
        (Denied(Rule.TOKEN_AUDIENCE), 401, ['error="invalid_token"', METADATA]),
        (
            Denied(Rule.TOKEN_SCOPE, frozenset({"mcp:files:call", "mcp:connect"})),
            403,
            ['error="insufficient_scope"', 'scope="mcp:connect mcp:files:call"', METADATA],
        ),
    ],
)
def test_a_denial_that_another_token_would_lift_says_which(denied: Denied, status: int, parts: list[str]) -> None:
    found = refused(denied, "files", site=SITE)
    ((_, value),) = found.headers
    assert found.status == status
    assert all(part in value for part in parts)


def test_other_denials_promise_nothing() -> None:
    assert refused(Denied(Rule.GRANT_SERVER), "files", site=SITE).headers == ()


def test_a_challenge_is_one_line_of_quoted_strings() -> None:
    _, value = challenge(SITE, "files", error="invalid_token", text="The access token is not valid.")
    assert value.count('"') == 8
    assert "\n" not in value
