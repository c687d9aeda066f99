"""Dataclasses for values that are made for every call."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def checked_frozen(cls: type[T]) -> type[T]:
    """A dataclass with slots that the type checker holds frozen, and equal where its fields are.

    At run time nothing holds it: Python's own frozen dataclasses take five times as long to make, and a call makes
    dozens of values. For what rules decide by (`access.policy`) and for what is shared, use those.
    """
    return dataclass(slots=True)(cls)
