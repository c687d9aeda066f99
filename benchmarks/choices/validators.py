"""Argument validation: one call's arguments against the tool's schema, compiled before. Environment `choices`.

fastjsonschema writes Python from the schema and executes it, and the schema is a stranger's.
"""

from collections.abc import Callable
from typing import Any, Final

import fastjsonschema
import jsonschema
import jsonschema_rs

from benchmarks.catalogue import ARGUMENTS, SCHEMA
from benchmarks.timing import paired

BAD: Final = {**ARGUMENTS, "count": 0, "extra": 1}


def main() -> None:
    """Print the figures."""
    rust = jsonschema_rs.Draft202012Validator(SCHEMA)
    pure = jsonschema.Draft202012Validator(SCHEMA)
    generated = fastjsonschema.compile(SCHEMA)
    print("\nValidators, CPU microseconds")
    _show(
        "good arguments",
        {
            "jsonschema-rs is_valid": lambda: rust.is_valid(ARGUMENTS),
            "jsonschema-rs validate": lambda: rust.validate(ARGUMENTS),
            "fastjsonschema": lambda: generated(ARGUMENTS),
            "jsonschema": lambda: pure.validate(ARGUMENTS),
        },
    )
    _show(
        "bad arguments, every error",
        {
            "jsonschema-rs": lambda: list(rust.iter_errors(BAD)),
            "fastjsonschema (the first only)": lambda: _first(generated),
            "jsonschema": lambda: list(pure.iter_errors(BAD)),
        },
    )
    _show(
        "compiling",
        {
            "jsonschema-rs": lambda: jsonschema_rs.Draft202012Validator(SCHEMA),
            "fastjsonschema": lambda: fastjsonschema.compile(SCHEMA),
            "jsonschema": lambda: jsonschema.Draft202012Validator(SCHEMA),
        },
    )


def _show(what: str, alternatives: dict[str, Callable[[], object]]) -> None:
    for name, took in paired(alternatives).items():
        print(f"  {what:<28}{name:<34}{took:9.1f}")


def _first(validate: Callable[[Any], object]) -> str:
    try:
        validate(BAD)
    except fastjsonschema.JsonSchemaException as error:
        return str(error)
    raise AssertionError("bad arguments were taken")


if __name__ == "__main__":
    main()
