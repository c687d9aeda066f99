"""How placed records look to other systems. Pure: a record goes in, bytes come out, and nothing is skipped."""

from typing import Final

PRODUCT: Final = "Holdfast"
PRODUCT_VERSION: Final = "0.1"
