"""The tools: what the suite calls by name, and a few more for real clients."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import jsonschema_rs
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from mcp_types import (
    AudioContent,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    InputRequiredResult,
    ListRootsRequest,
    TextContent,
    TextResourceContents,
)

from tests.fixtures_mcp.everything_parts.asking import Call, InputNeededError, Request, elicit, said, sample, text

Answer = CallToolResult | InputRequiredResult | dict[str, Any]
Run = Callable[[Call], Awaitable[Answer]]

# One black pixel as PNG, and an empty WAV.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
WATCHED = "test://watched-resource"
BUS = InMemorySubscriptionBus()
# Resources that somebody of the handshake era watches.
SUBSCRIBED: set[str] = set()
TOOLS: dict[str, tuple[dict[str, Any], Run]] = {}


def tool(description: str, properties: dict[str, Any] | None = None, **more: Any) -> Callable[[Run], Run]:
    """Register a function as the tool of its name; all properties are required."""

    def register(run: Run) -> Run:
        name = run.__name__
        schema: dict[str, Any] = {"type": "object", "properties": properties or {}}
        schema |= {"required": list(properties)} if properties else {}
        TOOLS[name] = ({"name": name, "description": description, "inputSchema": schema} | more, run)
        return run

    return register


# --- content -----------------------------------------------------------------------------------------------------
@tool("Answers with one text.", annotations={"readOnlyHint": True, "idempotentHint": True})
async def test_simple_text(call: Call) -> Answer:
    return text("This is a simple text response for testing.")


@tool("Answers with an image.")
async def test_image_content(call: Call) -> Answer:
    return CallToolResult(content=[ImageContent(type="image", data=PIXEL, mime_type="image/png")])


@tool("Answers with a sound.")
async def test_audio_content(call: Call) -> Answer:
    return CallToolResult(content=[AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")])


@tool("Answers with a resource inside.")
async def test_embedded_resource(call: Call) -> Answer:
    inner = TextResourceContents(uri="test://embedded-resource", mime_type="text/plain", text="A resource in a result.")
    return CallToolResult(content=[EmbeddedResource(type="resource", resource=inner)])


@tool("Answers with content of several types.")
async def test_multiple_content_types(call: Call) -> Answer:
    inner = TextResourceContents(
        uri="test://mixed-content-resource", mime_type="application/json", text='{"test":"data","value":123}'
    )
    return CallToolResult(
        content=[
            TextContent(type="text", text="Multiple content types test:"),
            ImageContent(type="image", data=PIXEL, mime_type="image/png"),
            EmbeddedResource(type="resource", resource=inner),
        ]
    )


@tool(
    "Adds two numbers and answers in a structure.",
    {"a": {"type": "integer"}, "b": {"type": "integer"}},
    outputSchema={"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]},
)
async def add(call: Call) -> Answer:
    total = call.arguments["a"] + call.arguments["b"]
    return text(str(total), structured_content={"sum": total})


@tool("Fails.")
async def test_error_handling(call: Call) -> Answer:
    return text("This tool intentionally returns an error for testing", is_error=True)


# --- on the stream -----------------------------------------------------------------------------------------------
@tool("Sends three log messages.")
async def test_tool_with_logging(call: Call) -> Answer:
    for step in ("started", "processing data", "completed"):
        await call.log(f"Tool execution {step}")
        await asyncio.sleep(0.05)
    return text("Logged.")


@tool("Sends a log message to those who asked for it.")
async def test_logging_tool(call: Call) -> Answer:
    await call.log("One message")
    return text("Logged.")


@tool("Reports progress three times.")
async def test_tool_with_progress(call: Call) -> Answer:
    for progress in (0, 50, 100):
        await call.ctx.session.report_progress(progress, 100, f"{progress} of 100")
        await asyncio.sleep(0.05)
    return text("Done.")


@tool("Reports progress, then asks the user.")
async def test_streaming_elicitation(call: Call) -> Answer:
    await call.ctx.session.report_progress(1, 2, "about to ask")
    answers = await call.ask({"answer": elicit("Go on?", {"ok": {"type": "boolean"}})})
    return text(f"action={answers['answer'].action}")


@tool("Closes its stream in the middle of the call; the answer waits for who comes back.")
async def test_reconnection(call: Call) -> Answer:
    await call.log("Before the stream is closed")
    if call.ctx.close_sse_stream is not None:
        await call.ctx.close_sse_stream()
    await asyncio.sleep(0.2)
    await call.log("After the stream was closed")
    return text("Came back.")


# --- asking the client -------------------------------------------------------------------------------------------
@tool("Asks the client's model.", {"prompt": {"type": "string"}})
async def test_sampling(call: Call) -> Answer:
    answers = await call.ask({"answer": sample(call.arguments["prompt"])})
    return text(f"LLM response: {said(answers['answer'])}")


def _form(answer: Any) -> str:
    return f"action={answer.action}, content={json.dumps(answer.content or {}, sort_keys=True)}"


@tool("Asks the user.", {"message": {"type": "string"}})
async def test_elicitation(call: Call) -> Answer:
    form = elicit(call.arguments["message"], {"response": {"type": "string", "description": "Your answer"}})
    return text(f"User response: {_form((await call.ask({'answer': form}))['answer'])}")


@tool("Asks the user with a default for each primitive type.")
async def test_elicitation_sep1034_defaults(call: Call) -> Answer:
    form = elicit(
        "Please provide user information",
        {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": True},
        },
        required=False,
    )
    return text(f"Elicitation completed: {_form((await call.ask({'answer': form}))['answer'])}")


def _titled(*values: str) -> list[dict[str, str]]:
    return [{"const": value, "title": value.title()} for value in values]


@tool("Asks the user with every form of enumeration.")
async def test_elicitation_sep1330_enums(call: Call) -> Answer:
    form = elicit(
        "Please choose",
        {
            "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
            "titledSingle": {"type": "string", "oneOf": _titled("value1", "value2", "value3")},
            "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2"]}},
            "titledMulti": {"type": "array", "items": {"anyOf": _titled("value1", "value2", "value3")}},
        },
        required=False,
    )
    return text(f"Elicitation completed: {_form((await call.ask({'answer': form}))['answer'])}")


@tool("Lists the client's roots.")
async def test_roots(call: Call) -> Answer:
    roots = (await call.ask({"roots": ListRootsRequest()}))["roots"].roots
    return text(" ".join(str(root.uri) for root in roots))


@tool("Needs a client that can sample.")
async def test_missing_capability(call: Call) -> Answer:
    call.require("sampling")
    return text("The client can sample.")


# --- several rounds ----------------------------------------------------------------------------------------------
_NAME = {"name": {"type": "string"}}
_CONFIRM: dict[str, Request] = {"confirm": elicit("Please confirm", {"ok": {"type": "boolean"}})}


@tool("Asks for a name.")
async def test_input_required_result_elicitation(call: Call) -> Answer:
    answer = (await call.ask({"user_name": elicit("What is your name?", _NAME)}))["user_name"]
    return text(f"Hello, {(answer.content or {}).get('name', 'stranger')}!")


@tool("Asks the model for a capital.")
async def test_input_required_result_sampling(call: Call) -> Answer:
    answers = await call.ask({"capital_question": sample("What is the capital of France?")})
    return text(said(answers["capital_question"]))


@tool("Asks for the roots.")
async def test_input_required_result_list_roots(call: Call) -> Answer:
    answers = await call.ask({"client_roots": ListRootsRequest()})
    return text(f"{len(answers['client_roots'].roots)} roots")


@tool("Asks, and hands out a state.")
async def test_input_required_result_request_state(call: Call) -> Answer:
    await call.ask(_CONFIRM, state="first round")
    return text("state-ok" if call.state == "first round" or not call.modern else "state lost")


@tool("Asks, and notices a state that was changed.")
async def test_input_required_result_tampered_state(call: Call) -> Answer:
    await call.ask(_CONFIRM, state="sealed")
    return text("state-ok")


@tool("Asks three things at once.")
async def test_input_required_result_multiple_inputs(call: Call) -> Answer:
    asked: dict[str, Request] = {
        "user_name": elicit("What is your name?", _NAME),
        "greeting": sample("Generate a greeting", 50),
        "client_roots": ListRootsRequest(),
    }
    await call.ask(asked, state="three")
    return text("All three came.")


@tool("Asks twice, the second time with what the first time gave.")
async def test_input_required_result_multi_round(call: Call) -> Answer:
    done = json.loads(call.state or "{}")
    if "name" not in done:
        answer = (await call.ask({"step1": elicit("Step 1: What is your name?", _NAME)}, state="{}"))["step1"]
        done = {"name": (answer.content or {}).get("name", "")}
    color = {"step2": elicit("Step 2: What is your favorite color?", {"color": {"type": "string"}})}
    answer = (await call.ask(color, state=json.dumps(done)))["step2"]
    return text(f"{done['name']} likes {(answer.content or {}).get('color')}.")


@tool("Asks only what the client declared that it can answer.")
async def test_input_required_result_capabilities(call: Call) -> Answer:
    every: dict[str, tuple[str, Request]] = {
        "sample": ("sampling", sample("Say hello", 50)),
        "ask": ("elicitation", elicit("What is your name?", _NAME)),
    }
    await call.ask({key: request for key, (needs, request) in every.items() if call.may(needs)}, state="some")
    return text("All that could be asked was answered.")


# --- lists that change -------------------------------------------------------------------------------------------
async def _announce(call: Call, event: ServerEvent) -> None:
    """To those who listen in the modern era; on the caller's own session in the other."""
    await BUS.publish(event)
    if call.modern:
        return
    session = call.ctx.session
    match event:
        case ToolsListChanged():
            await session.send_tool_list_changed()
        case PromptsListChanged():
            await session.send_prompt_list_changed()
        case ResourceUpdated(uri) if uri in SUBSCRIBED:
            await session.send_resource_updated(uri)


@tool("Says that the list of tools has changed.")
async def test_trigger_tool_change(call: Call) -> Answer:
    await _announce(call, ToolsListChanged())
    return text("Said so.")


@tool("Says that the list of prompts has changed.")
async def test_trigger_prompt_change(call: Call) -> Answer:
    await _announce(call, PromptsListChanged())
    return text("Said so.")


@tool("Says that the watched resource has changed.")
async def test_trigger_resource_update(call: Call) -> Answer:
    await _announce(call, ResourceUpdated(WATCHED))
    return text("Said so.")


# --- schemas and headers -----------------------------------------------------------------------------------------
@tool("Repeats a region that is sent in a header too.", {"region": {"type": "string", "x-mcp-header": "Region"}})
async def test_x_mcp_header(call: Call) -> Answer:
    return text(f"region={call.arguments['region']}")


@tool("Has a schema with all that JSON Schema 2020-12 knows.")
async def json_schema_2020_12_tool(call: Call) -> Answer:
    return text("Fine.")


TOOLS["json_schema_2020_12_tool"][0]["inputSchema"] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


async def run(name: str, call: Call) -> Answer:
    """Call a tool; what it still has to ask becomes its result. Raises KeyError for a tool that is not there."""
    shown, carry_out = TOOLS[name]
    try:
        jsonschema_rs.validate(shown["inputSchema"], dict(call.arguments))
        return await carry_out(call)
    except jsonschema_rs.ValidationError as error:
        return text(f"Wrong arguments: {error.message}", is_error=True)
    except InputNeededError as needed:
        return needed.result
