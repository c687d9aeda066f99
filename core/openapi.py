"""What every operation of the API can answer besides success, written into the OpenAPI document once."""

from typing import Any, Final

_ERROR: Final = {
    "type": "object",
    "description": "What every error answers.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details", "request_id"],
            "properties": {
                "code": {"type": "string", "examples": ["invalid", "not_found", "conflict"]},
                "message": {"type": "string"},
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "message"],
                        "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                    },
                },
                "request_id": {"type": "string"},
            },
        }
    },
}
_ANSWER: Final = {
    "description": "The input does not fit, the caller may not, or the thing is not there or not in that state.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


def add_errors(result: dict[str, Any], **_more: Any) -> dict[str, Any]:
    """A postprocessing hook of drf-spectacular: `4XX` with the error envelope for every operation."""
    result["components"]["schemas"]["Error"] = _ERROR
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"].setdefault("4XX", _ANSWER)
    return result
