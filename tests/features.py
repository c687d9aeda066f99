"""Things that a machine may lack, and what a test does then: skip with a reason, or fail where CI requires them."""

import os
import shutil
from typing import NoReturn

import pytest


def require_or_skip(feature: str, reason: str) -> NoReturn:
    """Skip this test because `feature` is missing; fail when the variable REQUIRE lists it (`browser,conformance`)."""
    required = {name.strip() for name in os.environ.get("REQUIRE", "").split(",")}
    if feature in required:
        pytest.fail(f"{feature} is required here (REQUIRE), but {reason}", pytrace=False)
    pytest.skip(f"{feature}: {reason}")


def chromium() -> str:
    """The path of a Chromium, or skip."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    require_or_skip("browser", "no Chromium was found on this machine")
