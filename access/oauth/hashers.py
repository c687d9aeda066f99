"""Hashing of the client secrets that we generate."""

import hashlib
import hmac
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import BasePasswordHasher
from django.utils.crypto import constant_time_compare, get_random_string


class ClientSecretHasher(BasePasswordHasher):
    """HMAC-SHA256 under the installation's token key.

    A password hash is slow because people choose passwords. These secrets have 256 random bits, so a fast hash is
    as safe, and a slow one would only be a way to keep our processors busy at `/oauth/token/`. Never used for people:
    it is not the first of `PASSWORD_HASHERS`.
    """

    algorithm = "holdfast_client_secret"

    def salt(self) -> str:
        """A random salt; it keeps equal secrets from having equal hashes."""
        return get_random_string(16)

    def encode(self, password: str, salt: str) -> str:
        """`algorithm$salt$hash`, the hash in hex."""
        message = f"{self.algorithm}\0{settings.INSTALLATION_ID}\0{salt}\0{password}".encode("utf-8", "surrogatepass")
        return f"{self.algorithm}${salt}${hmac.new(settings.TOKEN_KEY, message, hashlib.sha256).hexdigest()}"

    def decode(self, encoded: str) -> dict[str, Any]:
        """The parts of an encoded secret."""
        algorithm, salt, digest = encoded.split("$", 2)
        return {"algorithm": algorithm, "salt": salt, "hash": digest}

    def verify(self, password: str, encoded: str) -> bool:
        """Whether `password` is the secret, in constant time."""
        return constant_time_compare(encoded, self.encode(password, self.decode(encoded)["salt"]))

    def safe_summary(self, encoded: str) -> Any:
        """What may be shown of a hash."""
        return {"algorithm": self.decode(encoded)["algorithm"]}

    def must_update(self, encoded: str) -> bool:
        """Never: a secret is replaced by rotating it."""
        return False

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Nothing to even out: there are no iterations."""
