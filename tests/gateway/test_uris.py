"""Which URIs an approved template stands for, and which text is no URI at all."""

import re

import pytest
import uritemplate
from hypothesis import given
from hypothesis import strategies as st

from gateway.uris import FORBIDDEN_SCHEMES, URI_MAX, UriTemplate, normal_form, scheme_of


def compiled(text: str) -> UriTemplate:
    """A template that compiles."""
    made = UriTemplate.compile(text)
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("uri", "scheme"),
    [
        ("file:///etc/motd", "file"),
        ("FILE:///etc/motd", "file"),
        ("db+pg.1-x://t/1?q=a&b=%C3%A9#part", "db+pg.1-x"),
        ("urn:isbn:0451450523", "urn"),
        ("http://[::1]:8080/a", "http"),
        ("mailto:a@b.example", "mailto"),
        ("http://h/a@b?c=d@e", "http"),
        ("file:///a...b/..c/d..", "file"),
        ("x:a?path=.", "x"),
        ("x:" + "a" * (URI_MAX - 2), "x"),
    ],
)
def test_a_uri_has_a_scheme(uri: str, scheme: str) -> None:
    assert scheme_of(uri) == scheme


HOSTILE = [
    "file:///a/../b", "file:///..", "file:///a/..", "file:///../etc", "file:///a/./b", "file:///.", "file:///%2e%2e/x",
    "file:///.%2E/x", "file:///%2E./x", "file:///%252e%252e/x", "file:///%25252e%25252e/x", "file:///%" + "25" * 9 + "2e./x",
    "file:///..%2fx", "file:///a%2F..%2Fx", "file:///a%5c..%5cx", "file:///..;/x", "file:///a/..;v=1/x", "file:///a,..,b",
    "x:s?path=../../etc", "x:s?path=..", "x:s?a=b&..", "x:s#..", "x:s#a/../b", "x:s?a=%2e%2e%2fetc", "x:s?a=..%2fetc",
    "file:///a\0", "file:///a%00", "file:///a%0a", "file:///a%0D%0A", "file:///a%7f", "file:///a%1b", "file:///a\n", "\nfile:///a",
    "file:///a b", " file:///a", "file:///a ", "file:///a\tb", "file:///a\\b", "file:\\\\a", "file:///a%5Cb", "file:///é", "file:///a\u2044b",
    "file:///\uff0e\uff0e/x", "file:///a\u200b", "file:///\u202ea", "file:///a%", "file:///a%2", "file:///a%zz", "file:///<a>", 'file:///"', "file:///{a}",
    "file:///a|b", "file:///a^b", "file:///a`b", "http://good@evil/", "http://good:pw@evil/", "http://good%40evil/", "http://@evil/",
    "http://a%2f@b/", "file:///%61", "file:///%7E", "file:///a#b#c", "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x",
    "vbscript:x", "about:blank", "blob:https://h/x", "", ":", "a", "/etc/motd", "//host/x", "file:", "1file:///a", "-x:a", "x_y:a", "fi%6ce:///a",
    "x" * 65 + ":a", "x:" + "a" * URI_MAX, "é:a",
]  # fmt: skip


CATCH_ALLS = [
    compiled(text)
    for text in ("{+any}", "file:///{+path}", "{a}:{+b}", "http://{+rest}", "x:{+x}", "x:s{?path,a}", "x:s{#f}")
]


@pytest.mark.parametrize("uri", HOSTILE)
def test_what_two_readers_could_read_differently_is_no_uri_and_matches_nothing(uri: str) -> None:
    assert scheme_of(uri) is None
    assert not any(template.matches(uri) for template in CATCH_ALLS)


@pytest.mark.parametrize(
    ("template", "fits", "misses"),
    [
        ("file:///{path}", ["file:///a", "file:///a%2Fb", "file:///a.b-c_d~e", "file:///"],
         ["file:///a/b", "file:///a?b=c", "file:///a#b", "file:///a,b", "file:///a:b", "file:///a;b", "FILE:///a", "file://a", "file:///a(b)", "xfile:///a"]),
        ("file:///{+path}", ["file:///a/b", "file:///a?b=c#d", "file:///[a]"], ["files:///a", "file://a", "http://a"]),
        ("db://{table}/{id}", ["db://t/1"], ["db://t", "db://t/1/2", "db://t/1/", "db:///t/1/2"]),
        ("x:{a,b}", ["x:1", "x:1,2", "x:1,"], ["x:1,2,3", "x:1/2"]),
        ("x:{a*}", ["x:1,2,3,4"], ["x:1/2"]),
        ("x:{/p*}", ["x:/1", "x:/1/2/3"], ["x:1", "x:/1?2", "x:/1,2"]),
        ("x:{/p,q}", ["x:/1", "x:/1/2"], ["x:/1/2/3"]),
        ("x:f{.ext}", ["x:f", "x:f.tar"], ["x:f.tar/gz", "x:ftar"]),
        ("x:f{;a,b}", ["x:f", "x:f;a=1", "x:f;a=1;b=2", "x:f;b=2", "x:f;a", "x:f;a="], ["x:f;b=2;a=1", "x:f;c=1"]),
        ("x:s{?q,lang}", ["x:s", "x:s?q=1", "x:s?q=1&lang=2", "x:s?lang=2", "x:s?q="],
         ["x:s?lang=2&q=1", "x:s?q=1&q=2", "x:s?other=1", "x:s?q", "x:s?q=1&lang=2&more=3", "x:s&q=1", "x:s?q=a/b", "x:s?"]),
        ("x:s{?q*}", ["x:s?q=1&q=2&q=3"], ["x:s?p=1"]),
        ("x:s?a=b{&q}", ["x:s?a=b", "x:s?a=b&q=1"], ["x:s?q=1", "x:s?a=b?q=1"]),
        ("x:p{#frag}", ["x:p", "x:p#a/b?c"], ["x:pa", "x:p##"]),
        ("x:{a:3}", ["x:abc", "x:%C3%A9b"], ["x:abcd"]),
        ("x:a.b+c", ["x:a.b+c"], ["x:aXb+c", "x:a.bbc", "x:a.b+cd"]),
        ("x:(a|b)".replace("|", "$"), ["x:(a$b)"], ["x:a", "x:a$b"]),
        ("{scheme}://h/{x}", ["file://h/a", "x://h/"], ["://h/a", "a/b://h/a"]),
        ("{+any}", ["file:///etc/passwd"], []),
        ("x:{very.dotted_name}", ["x:1"], []),
        ("weather://{city}/now{?unit}", ["weather://oslo/now", "weather://oslo/now?unit=c"], ["weather://oslo/later", "weather://a@b/now"]),
        ("http://good{+x}", ["http://good/a@b"], ["http://good@evil", "http://bad"]),
    ],
)  # fmt: skip
def test_a_template_stands_for_its_expansions_only(template: str, fits: list[str], misses: list[str]) -> None:
    made = compiled(template)
    assert [uri for uri in fits if not made.matches(uri)] == []
    assert [uri for uri in misses if made.matches(uri)] == []


@pytest.mark.parametrize(
    "text",
    ["x:{", "x:}", "x:{}", "x:{a", "x:{{a}}", "x:{a b}", "x:{a,}", "x:{,a}", "x:{!a}", "x:{=a}", "x:{|a}", "x:{@a}", "x:{a:0}", "x:{a:}",
     "x:{a:99999}", "x:{a**}", "x:{a.}", "x:{.}", "x:{+}", "x:{é}", "x:é{a}", "x: {a}", "x:\n{a}", "x:<{a}>", "x:%{a}", "x:\\{a}",
     "x:" + "a" * URI_MAX, "x:" + "{a}" * 33, "x:{" + ",".join(["a"] * 33) + "}"],
)  # fmt: skip
def test_what_is_no_template_compiles_to_nothing(text: str) -> None:
    assert UriTemplate.compile(text) is None


@pytest.mark.parametrize(
    ("text", "scheme"),
    [("file:///{p}", "file"), ("FILE:///{p}", "file"), ("{s}://x", None), ("fi{x}:a", None), ("javascript:{x}", "javascript"), ("{+any}", None)],
)  # fmt: skip
def test_the_scheme_of_a_template_is_what_it_spells_out(text: str, scheme: str | None) -> None:
    assert compiled(text).scheme == scheme


@pytest.mark.parametrize("scheme", sorted(FORBIDDEN_SCHEMES))
def test_a_template_of_a_forbidden_scheme_matches_nothing(scheme: str) -> None:
    assert not compiled(scheme + ":{x}").matches(scheme + ":a")
    assert not compiled("{s}:{x}").matches(scheme.upper() + ":a")


@pytest.mark.parametrize(
    "text", ["x:" + "{a}" * 32 + "!", "x:" + "{a*}" * 32 + "!", "x:" + "{+a}" * 32 + "!end", "x:{/a*}{/b*}{/c*}{/d*}!"]
)
def test_matching_reads_a_uri_once_however_many_ways_there_are_to_cut_it(text: str) -> None:
    """With an engine that tries them all, this never ends."""
    made = compiled(text)
    for piece in ("a", "a,", "/a", "%C3"):
        assert not made.matches("x:" + piece * ((URI_MAX - 2) // len(piece)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("FILE:///a", "file:///a"), ("http://Host/A", "http://host/A"), ("file:///%61", "file:///a"), ("file:///%c3%a9", "file:///%C3%A9"),
        ("http://HOST", "http://host"), ("http://HOST?A", "http://host?A"), ("x:%7Ea", "x:~a"),
    ],
)  # fmt: skip
def test_spellings_of_one_uri_have_one_normal_form(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(
    ("one", "other"), [("file:///A", "file:///a"), ("file:///a%2Fb", "file:///a/b"), ("x:A", "x:a"), ("x:a", "x:a/")]
)
def test_different_uris_have_different_forms(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    normal_form(text)
    scheme_of(text)
    made = UriTemplate.compile(text)
    assert made is None or made.matches(text) in (True, False)


_NAMES = ["a", "b_1", "c.d"]
_LITERALS = st.text("abc/.-~", max_size=4)
_EXPRESSIONS = st.builds(
    lambda operator, names, modifier: "{" + operator + ",".join(name + modifier for name in names) + "}",
    st.sampled_from(["", "+", "#", ".", "/", ";", "?", "&"]),
    st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3, unique=True),
    st.sampled_from(["", "", "*", ":3"]),
)
_TEMPLATES = st.lists(st.tuples(_EXPRESSIONS, _LITERALS), min_size=1, max_size=4).map(
    lambda parts: "x:s" + "".join(expression + literal for expression, literal in parts)
)
_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=6) | st.text(
    "ab./%?#=,;@", max_size=6
)
_BINDINGS = st.fixed_dictionaries({}, optional=dict.fromkeys(_NAMES, _TEXTS))
_DOTS = re.compile(r"^\.{1,2}$")


@given(_TEMPLATES, _BINDINGS)
def test_whatever_a_template_expands_to_matches_unless_it_is_no_uri(template: str, values: dict[str, str]) -> None:
    uri = uritemplate.expand(template, {**values})
    if scheme_of(uri) is not None:
        assert compiled(template).matches(uri), (template, uri)
    else:
        assert not compiled(template).matches(uri)


@given(
    st.sampled_from(["x:{a*}", "x:{/a*}", "x:s{?a*}", "x:s{;a*}", "x:f{.a*}", "x:{+a*}"]),
    st.lists(_TEXTS, min_size=1, max_size=4),
)
def test_lists_expand_to_what_matches(template: str, values: list[str]) -> None:
    uri = uritemplate.expand(template, {"a": values})
    assert scheme_of(uri) is None or compiled(template).matches(uri), (template, uri)


@given(st.text("abcé %/", min_size=1, max_size=8))
def test_honest_values_are_never_refused(value: str) -> None:
    uri = uritemplate.expand("file:///docs/{name}{?q}", {"name": "n" + value, "q": value})
    assert compiled("file:///docs/{name}{?q}").matches(uri)


@given(st.text("ab/?#:@,;=&.%2eE+$!", max_size=12))
def test_a_plain_variable_takes_no_reserved_character(text: str) -> None:
    if compiled("x:s/{a}/end").matches(f"x:s/{text}/end"):
        assert re.fullmatch(r"(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})*", text)
        assert not _DOTS.match(text)
