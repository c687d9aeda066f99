import pytest
from django.core.management import CommandError, call_command

from controlplane.env import DECLARED
from controlplane.management.commands import generate_docs


@pytest.fixture
def root(settings, tmp_path):
    settings.BASE_DIR = tmp_path
    return tmp_path


def test_every_setting_is_in_the_reference_and_no_secret_has_a_default_there():
    text = generate_docs.settings_reference()
    for name, item in DECLARED.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert item.purpose in row
        assert not item.secret or row.split("|")[2].strip() in ("", "**required**")


def test_the_api_description_is_openapi_3_1_and_always_the_same():
    text = generate_docs.openapi()
    assert text.startswith("openapi: 3.1")
    assert text == generate_docs.openapi()


def test_a_document_that_is_not_current_fails_the_check_and_is_left_alone(root):
    call_command("generate_docs")
    call_command("generate_docs", check=True)
    stale = root / "docs" / "settings.md"
    stale.write_text("old", encoding="utf-8")
    with pytest.raises(CommandError, match=r"Not current: docs/settings\.md\."):
        call_command("generate_docs", check=True)
    assert stale.read_text(encoding="utf-8") == "old"
