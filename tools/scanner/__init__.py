"""Deterministic rules over one definition: values in, findings out. Pure package, no tables, no clock.

`rules` holds one row per rule; `findings` the result's shape.
"""

from tools.scanner.findings import Confidence, Found, Severity
from tools.scanner.rules import NOT_SCANNED, scan

__all__ = ["NOT_SCANNED", "Confidence", "Found", "Severity", "scan"]
