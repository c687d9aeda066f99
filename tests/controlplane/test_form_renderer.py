"""A select is drawn as Django draws it, whatever stands in it."""

from typing import Any

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates

from tests.console.world import HOSTILE, Page

CHOICES: Any = (
    ("", "All"),
    *((text, text.upper()) for text in HOSTILE),
    ("Named", (("a", "One"), (7, "Two"))),
)


def drawn(renderer: str, **fields: Any) -> list[tuple[str, dict[str, str]]]:
    class Form(forms.Form):
        default_renderer = DjangoTemplates if renderer == "django" else None
        chosen = forms.ChoiceField(choices=CHOICES, help_text="Choose.", **fields)

    page = Page(str(Form({"chosen": HOSTILE[0]})["chosen"]))
    return [*page.tags, ("text", {"said": page.text.replace(" ", "")})]


@pytest.mark.parametrize("widget", [forms.Select, forms.SelectMultiple])
def test_a_select_is_the_one_that_django_draws(widget: type[forms.Select]) -> None:
    for attrs in ({}, {"class": 'a"b', "disabled": True, "hidden": False}):
        ours, theirs = (drawn(which, widget=widget(attrs)) for which in ("ours", "django"))
        assert ours == theirs
    assert [values for tag, values in ours if tag == "option" and "selected" in values]


def test_nothing_in_an_option_is_markup() -> None:
    assert {tag for tag, _ in drawn("ours")} == {"select", "option", "optgroup", "text"}
