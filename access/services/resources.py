"""What tokens may be issued for. `servers` keeps this in step with its own states."""

from django.conf import settings

from access.models import ProtectedResource
from access.resource_uri import canonical_resource


def keep_protected_resource(*, server_slug: str, active: bool) -> ProtectedResource:
    """Make the gateway's endpoint of a server something that tokens are (or are no longer) issued for.

    Called within the transaction of the server's own command, which records it.
    """
    uri = canonical_resource(f"{settings.GATEWAY_URL}/{server_slug}")
    if uri is None:
        raise ValueError(f"GATEWAY_URL and '{server_slug}' make no resource")
    resource, _ = ProtectedResource.objects.update_or_create(
        server_slug=server_slug, defaults={"uri": uri, "active": active}
    )
    return resource
