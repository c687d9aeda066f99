"""What a person is shown starts from what they may see: `visible_to(actor)`, in every page, form and API view."""

import ast
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps

ROOT = Path(__file__).resolve().parents[2]
APPS = ("audit", "access", "servers", "tools", "alerts", "controlplane")
STARTS = {"visible_to", "none"}
# Reads that start elsewhere, by file, with what makes them harmless.
_DECIDED = "answers a command with the row that its service let the actor change"
_SHARED = "own and shared ones of a list that the view needs the permission to read"
_OWN = "the actor's own, and nobody else's"
EXCUSED = {
    ("access/api/filters.py", "Grant.live"): "narrows a list that starts from visible_to",
    ("access/oauth/views.py", "Agent.filter"): "a client that names itself; no person looks",
    ("servers/api/serializers.py", "Server.same_endpoint_as"): "slugs and states of every team, as it says there",
    ("tools/api/decisions.py", "Definition.for_list"): _DECIDED,
    ("tools/api/decisions.py", "Review.for_page"): _DECIDED,
    ("tools/api/policies.py", "ChangePolicy.for_list"): _DECIDED,
    ("tools/api/suppressions.py", "Suppression.for_list"): _DECIDED,
    ("tools/api/suspensions.py", "Suspension.filter"): _DECIDED,
    ("tools/api/triage.py", "Review.for_list"): _DECIDED,
    ("tools/api/triage.py", "SavedSearch.of_list"): _SHARED,
    ("tools/api/views.py", "Review.for_page"): _DECIDED,
    ("tools/views/inbox_page.py", "SavedSearch.of_list"): _SHARED,
    ("tools/views/reviews.py", "BreakGlass.filter"): "of a review that is visible, by the same permission and team",
    ("tools/views/reviews.py", "Definition.for_list"): "of a review that is visible; answers yes or no",
    ("tools/views/reviews.py", "Sighting.filter"): "of a review that is visible; answers yes or no",
}


def _entry_points() -> Iterator[Path]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            parts = path.relative_to(ROOT / app).with_suffix("").parts
            if {"views", "api", "forms"} & set(parts):
                yield path


def _narrowed_models() -> set[str]:
    return {model.__name__ for model in apps.get_models() if hasattr(getattr(model, "objects", None), "visible_to")}


def _found() -> Iterator[tuple[str, str, int]]:
    """File, read and line of each read that starts elsewhere."""
    models = _narrowed_models()
    for path in _entry_points():
        for model, method, line in _reads(path, models):
            if method not in STARTS:
                yield path.relative_to(ROOT).as_posix(), f"{model}.{method}", line


def _reads(path: Path, models: set[str]) -> Iterator[tuple[str, str, int]]:
    """Model, first method and line of each `Model.objects.method`."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Attribute(attr=method, value=ast.Attribute(attr="objects", value=ast.Name(id=model))) if (
                model in models
            ):
                yield model, method, node.lineno


def test_every_read_starts_from_what_the_actor_may_see() -> None:
    assert {"Agent", "Alert", "Grant", "Person", "Record", "Review", "Server"} <= _narrowed_models()
    found = [f"{file}:{line}: {read}" for file, read, line in _found() if (file, read) not in EXCUSED]
    assert not found, "\n".join(found)


def test_what_is_excused_is_still_there() -> None:
    assert {(file, read) for file, read, _ in _found()} == set(EXCUSED)
