"""Forms about signing in. They shape input; the rules are the services'."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from access.services.app_codes import CODE_MAX
from access.services.passkeys import ANSWER_MAX
from access.services.second_factors import NAME_MAX


def _code(help_text: Any = "") -> forms.CharField:
    attributes = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}
    widget = forms.TextInput(attrs=attributes)
    return forms.CharField(label=_("Code"), max_length=CODE_MAX, required=False, widget=widget, help_text=help_text)


def _passkey() -> forms.CharField:
    """What a script fills with the browser's answer."""
    return forms.CharField(max_length=ANSWER_MAX, required=False, widget=forms.HiddenInput)


class SecondStepForm(forms.Form):
    """The second factor after the password: a code, or what the browser says of a passkey."""

    code = _code(_("Six digits of your authenticator app, or one of your recovery codes."))
    passkey = _passkey()


class PasskeySignInForm(forms.Form):
    """A passkey in place of name and password."""

    passkey = _passkey()


class AgainForm(forms.Form):
    """Who somebody is, once more: any one of the three. Its names keep apart from those of the form that waits."""

    prefix = "again"

    password = forms.CharField(
        label=_("Password"),
        max_length=1024,
        strip=False,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = _code(_("In place of the password: a code of your authenticator app, or a recovery code."))
    passkey = _passkey()


class AppForm(forms.Form):
    """The first code of an authenticator app."""

    code = _code(_("The six digits that the app shows now."))


class PasskeyForm(forms.Form):
    """A new passkey: what to call it, and what the browser made."""

    name = forms.CharField(
        label=_("Name"), max_length=NAME_MAX, required=False, help_text=_("By which you will know it: “laptop”, say.")
    )
    passkey = _passkey()
