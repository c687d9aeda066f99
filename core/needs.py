"""What a route asks of whoever uses it: the declaration beside a view, from which the matrix of roles is made.

A view enforces it, or the service that it calls; tests/controlplane/test_matrix.py asks every route as every role, so
a declaration that is not true fails. Pure module.
"""

from dataclasses import dataclass

from core.permissions import Permission


@dataclass(frozen=True, slots=True)
class Needs:
    """Every permission that a route asks for; none: signing in is enough.

    `or_own`: who lacks them may still use it for what is their own, such as a token.
    """

    permissions: tuple[Permission, ...] = ()
    or_own: bool = False


SIGNED_IN = Needs()


def asks(*permissions: Permission, or_own: bool = False) -> Needs:
    """A declaration, as it stands beside a view."""
    return Needs(permissions, or_own)
