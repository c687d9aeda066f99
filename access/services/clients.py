"""Agents whose id is the URL of a document that describes them (client id metadata documents).

Whoever asks is a stranger. So a document makes an agent only where the installation's policy trusts its URL, the agent
acts for people only and by what they hold, and what was not to be had is not fetched again for a minute. The table
holds the last form of a document. The toolkit's own support for documents stays off: it refuses the documents of
several clients that people use, takes any URL, and replaces redirect URIs without anybody hearing of it (ADR 0019).
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from access.client_metadata import DOCUMENT_URL_MAX, BadMetadata, ClientMetadata, is_document_url, of_document
from access.document_fetch import DocumentUnavailable, fetch_document
from access.models import Agent, AgentState, FailedDocument
from access.services.agents import insert_agent, record_registration
from access.services.counting import count_request
from access.services.recording import changed, subject_of
from audit.events import Event, RecordType
from audit.services import record
from core.actor import ANONYMOUS, Actor
from core.names import subject

FAILURE_KEPT = timedelta(minutes=1)
STALE_MAX = timedelta(days=1)  # how long an agent goes on while its document is not to be had
UNLISTED_PER_MINUTE = 30  # fetches of documents that nobody listed, for the whole installation


def resolve_client(client_id: str, *, for_person: bool = False) -> Agent | None:
    """The agent with this client id, which may be a document's URL; None where there is none to be trusted.

    May fetch and write. A document that is neither known nor listed is fetched `for_person` only, somebody who is
    signed in: strangers choose no address for us. Whether the agent is suspended is the caller's question.
    """
    if not 0 < len(client_id) <= DOCUMENT_URL_MAX or not client_id.isprintable():
        return None
    agent = Agent.objects.filter(client_id=client_id).first()
    if agent is not None and not agent.has_document:
        return agent
    if not is_trusted_document(client_id) or (agent is None and not for_person and not is_listed(client_id)):
        return None
    now = timezone.now()
    if agent is not None and (agent.state != AgentState.ACTIVE or now < agent.document_ends_at):
        return agent
    return _renewed(client_id, agent, now)


def awaits_person(client_id: str) -> bool:
    """Whether this is a document that `resolve_client` would fetch for somebody who is signed in, and for no other."""
    fits = len(client_id) <= DOCUMENT_URL_MAX and client_id.isprintable()
    if not fits or is_listed(client_id) or not is_trusted_document(client_id):
        return False
    return not Agent.objects.filter(client_id=client_id).exists()


def is_trusted_document(client_id: str) -> bool:
    """Whether the installation lets this URL, if it is one, be a client."""
    trusted = settings.CLIENT_DOCUMENTS == "any" or (settings.CLIENT_DOCUMENTS == "listed" and is_listed(client_id))
    return trusted and is_document_url(client_id)


def is_listed(client_id: str) -> bool:
    """Whether the installation named this very document."""
    return client_id in settings.CLIENT_DOCUMENT_URLS


def keep_client_document(*, client_id: str, metadata: ClientMetadata, ends_at: datetime, actor: Actor) -> Agent:
    """Write down what a document says; a client that was unknown is registered by that."""
    with transaction.atomic():
        agent = Agent.objects.select_for_update().filter(client_id=client_id).first()
        if agent is None:
            return _registered(client_id, metadata, ends_at, actor)
        if agent.document_digest != metadata.digest:
            apply_changed_document(agent=agent, metadata=metadata, actor=actor)
        agent.cimd_expires_at = ends_at
        agent.save(update_fields=["cimd_expires_at", "updated"])
        return agent


def apply_changed_document(*, agent: Agent, metadata: ClientMetadata, actor: Actor) -> None:
    """Take over what a client now says about itself, within `keep_client_document`.

    What people allowed was the client as it was: whatever is remembered on the strength of `document_digest` ends here.
    """
    before = {"name": agent.name, "redirect_uris": agent.redirect_uris.split()}
    agent.name, agent.redirect_uris = metadata.name, " ".join(metadata.redirect_uris)
    agent.document_digest = metadata.digest
    agent.save(update_fields=["name", "redirect_uris", "document_digest", "updated"])
    after = {"name": metadata.name, "redirect_uris": list(metadata.redirect_uris), "digest": metadata.digest}
    changed(
        Event.AGENT_CHANGED,
        actor=actor,
        subject=subject_of(agent),
        reason="Its document changed.",
        before=before,
        after=after,
        agent=agent.client_id,
    )


def _renewed(client_id: str, agent: Agent | None, now: datetime) -> Agent | None:
    kept = agent if agent is not None and now < agent.document_ends_at + STALE_MAX else None
    failed = FailedDocument.objects.filter(url=client_id, failed_at__gt=now - FAILURE_KEPT).first()
    if failed is not None:
        return None if failed.final else kept
    if not is_listed(client_id) and count_request("documents").count > UNLISTED_PER_MINUTE:
        return kept
    return _fetched(client_id, kept, now)


def _fetched(client_id: str, kept: Agent | None, now: datetime) -> Agent | None:
    try:
        fetched = fetch_document(client_id)
        metadata = of_document(fetched.body, client_id)
    except DocumentUnavailable as error:
        if not error.busy:
            _note_failure(client_id, now, error.sentence, final=error.gone)
        return None if error.gone else kept
    except BadMetadata as error:
        _note_failure(client_id, now, error.sentence, final=True)
        return None
    return _kept(client_id, metadata, now + timedelta(seconds=fetched.seconds))


def _kept(client_id: str, metadata: ClientMetadata, ends_at: datetime) -> Agent | None:
    try:
        return keep_client_document(client_id=client_id, metadata=metadata, ends_at=ends_at, actor=ANONYMOUS)
    except IntegrityError:
        # Another request met the same client for the first time and was quicker.
        return Agent.objects.filter(client_id=client_id).first()


def _registered(client_id: str, metadata: ClientMetadata, ends_at: datetime, actor: Actor) -> Agent:
    agent = insert_agent(
        client_id=client_id,
        name=metadata.name,
        authorization_grant_type=Agent.GRANT_AUTHORIZATION_CODE,
        redirect_uris=metadata.redirect_uris,
        public=True,
        registration_source=Agent.RegistrationSource.CIMD,
        document_digest=metadata.digest,
        cimd_expires_at=ends_at,
    ).agent
    record_registration(agent, actor=actor)
    return agent


def _note_failure(client_id: str, now: datetime, sentence: str, *, final: bool) -> None:
    with transaction.atomic():
        FailedDocument.objects.update_or_create(url=client_id, defaults={"failed_at": now, "final": final})
        record(
            type=RecordType.AUTH,
            event=Event.AGENT_REGISTRATION_REFUSED,
            actor=ANONYMOUS,
            subject=subject("agent", client_id),
            decision="denied",
            reason=sentence,
        )
