"""JSON: which parser can be strict, and at what price.

Policy judges the parsed message and the server gets what was judged, so a parser that drops or reads differently is
no candidate whatever its speed. `core.strictjson` and `gateway.jsonrpc` are what the product uses, with all its checks.
Runs in the environment `choices`.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import jiter
import msgspec
import orjson
import simdjson

from benchmarks.catalogue import body, tools
from benchmarks.timing import paired
from core import strictjson
from gateway import jsonrpc

Parse = Callable[[bytes], Any]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("equal keys")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(name)


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=jsonrpc.exact_float
)
_simdjson: Final = simdjson.Parser()


def product(raw: bytes) -> Any:
    """As the gateway reads."""
    return strictjson.loads(raw, parse_float=jsonrpc.exact_float)


def json_strict(raw: bytes) -> Any:
    """The standard library with every check, and no more work than they need."""
    text = raw.decode()
    may_be_deep = text.count("[") + text.count("{") > strictjson.MAX_DEPTH
    if may_be_deep and strictjson.nesting(text) > strictjson.MAX_DEPTH:
        raise ValueError("too deep")
    value = _decoder.decode(text)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()  # raises where there is half of a surrogate pair
    return value


def jiter_strict(raw: bytes) -> Any:
    """jiter with everything that it can refuse; its floats keep their digits and are no `float`."""
    return jiter.from_json(raw, allow_inf_nan=False, catch_duplicate_keys=True, float_mode="lossless-float")


PARSERS: Final[dict[str, Parse]] = {
    "core.strictjson": product,
    "json, strict by hooks": json_strict,
    "json": json.loads,
    "jiter, strict": jiter_strict,
    "orjson": orjson.loads,
    "msgspec": msgspec.json.decode,
    "pysimdjson": lambda raw: _simdjson.parse(raw, recursive=True),
}


DUMPERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "gateway.jsonrpc": jsonrpc.dumps,
    "json": lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(),
    "orjson": orjson.dumps,
    "msgspec": msgspec.json.encode,
}
REFUSED: Final = {
    "equal keys, one escaped": b'{"a":1,"\\u0061":2}',
    "10k digits": b"1" * 10_000,
    "trailing comma": b"[1,]",
    "trailing text": b"[1] 2",
    "control character": b'["\x01"]',
    "leading zero": b"[01]",
    "byte order mark": b"\xef\xbb\xbf[]",
    "low surrogate": b'["\\udc00"]',
    "equal keys": b'{"a":1,"a":2}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":-Infinity}',
    "1e400": b'{"a":1e400}',
    "lone surrogate": b'{"a":"\\ud800"}',
    "bad UTF-8": b'{"a":"\xff"}',
    "65 deep": b"[" * 65 + b"]" * 65,
    "100k deep": b"[" * 100_000 + b"]" * 100_000,
}
EXACT: Final = {
    "2**64": b"18446744073709551616",
    "2**200": str(2**200).encode(),
    "1.10": b"1.10",
    "1e2": b"1e2",
    "long fraction": b"0.1000000000000000055511151231257827",
}


def main() -> None:
    """Print what each can do, then what each costs."""
    print("\nJSON parsers: what they refuse, and which numbers keep their digits")
    for name, parse in PARSERS.items():
        refused = [what for what, raw in REFUSED.items() if not _refuses(parse, raw)]
        lost = [what for what, raw in EXACT.items() if not _keeps(parse, raw)]
        print(f"  {name:<30} accepts: {', '.join(refused) or '-':<40} loses: {', '.join(lost) or '-'}")
    listed = {"jsonrpc": "2.0", "id": 1, "result": {"tools": tools(1000)}}
    content = [{"type": "text", "text": 'Line of a file, with "quotes".\n' * 130}]
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"content": content, "isError": False}}
    for what, value in (("request", json.loads(body("tools/call", "2026"))), ("4 KB text", answer), ("list", listed)):
        raw = json.dumps(value).encode()
        print(f"JSON, {what} of {len(raw)} bytes, CPU microseconds to read / to write")
        readers = {f"read   {name}": partial(parse, raw) for name, parse in PARSERS.items()}
        writers = {f"write  {name}": partial(dump, value) for name, dump in DUMPERS.items()}
        for name, took in (paired(readers) | paired(writers)).items():
            print(f"  {name:<37} {took:10.1f}")


def _refuses(parse: Parse, raw: bytes) -> bool:
    try:
        parse(raw)
    except (ValueError, RecursionError, RuntimeError):
        return True
    return False


def _keeps(parse: Parse, raw: bytes) -> bool:
    try:
        value = parse(b"[" + raw + b"]")[0]
    except (ValueError, RecursionError, RuntimeError):
        return False
    written = jsonrpc.dumps(value) if isinstance(value, int | float) else str(value).encode()
    return written == raw


if __name__ == "__main__":
    main()
