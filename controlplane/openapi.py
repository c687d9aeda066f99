"""The OpenAPI document as programs fetch it: made once per process, whoever asks and however often.

Generating it takes half a second of a processor, and nobody has to sign in to read it.
"""

import functools

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer

_RENDERERS = {"json": OpenApiJsonRenderer, "yaml": OpenApiYamlRenderer}


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """OpenAPI 3.1 as YAML, or as JSON with `?format=json` or where the client accepts JSON only."""
    form = "json" if request.GET.get("format") == "json" or _wants_json(request) else "yaml"
    return HttpResponse(document(form), content_type=_RENDERERS[form].media_type)


@functools.cache
def document(form: str) -> bytes:
    """The rendered document in `form`, a key of the renderers."""
    generated = SchemaGenerator().get_schema(request=None, public=True)
    rendered = _RENDERERS[form]().render(generated, renderer_context={})
    return rendered.encode() if isinstance(rendered, str) else rendered


def _wants_json(request: HttpRequest) -> bool:
    preferred = request.get_preferred_type(["application/vnd.oai.openapi", "application/yaml", "application/json"])
    return preferred == "application/json"
