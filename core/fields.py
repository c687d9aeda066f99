"""Form fields that pages of several apps share."""

from typing import Any

from django import forms


class MomentField(forms.DateTimeField):
    """A moment in UTC, typed by hand or picked in the browser; to the minute where nothing finer is given."""

    def __init__(self, **kwargs: Any):
        super().__init__(
            widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
            input_formats=("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"),
            **kwargs,
        )
