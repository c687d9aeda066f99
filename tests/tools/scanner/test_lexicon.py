"""Words and shapes: which class they have."""

import pytest

from tools.scanner.lexicon import BASE, CLASSES, FIRST, PHRASES, shape


def classes(mask: int) -> set[str]:
    return {name for name, bit in CLASSES.items() if mask & bit}


@pytest.mark.parametrize(
    ("word", "name"),
    [("reads", "read"), ("sent", "send"), ("forwarding", "send"), ("copied", "send"), ("overridden", "override")],
)
def test_all_forms_of_a_verb_are_its_class_and_only_one_is_an_order(word: str, name: str) -> None:
    assert name in classes(FIRST[word])
    assert BASE not in classes(FIRST[word])


@pytest.mark.parametrize("word", ["read", "send", "forward", "override"])
def test_the_plain_form_is_an_order(word: str) -> None:
    assert BASE in classes(FIRST[word])


@pytest.mark.parametrize(
    ("chunk", "name"),
    [
        ("https://a.example/x", "url"),
        ("relay.example.net", "url"),
        ("a@b.example", "email"),
        ("+15550100447", "phone"),
        ("acct_99", "account"),
        ("GB33BUKB20201555555555", "account"),
        ("/tmp/a/b.txt", "path"),
        ("read_file", "identifier"),
        ("readFile", "identifier"),
        ("~/.ssh/id_rsa", "secret_path"),
        (".env", "secret_path"),
        ("config/.env.local", "secret_path"),
        ("OPENAI_API_KEY", "secret"),
    ],
)
def test_shapes_are_classed(chunk: str, name: str) -> None:
    assert name in classes(shape(chunk))


@pytest.mark.parametrize("chunk", ["environment", "process.envelope", "word", "e.g", "3.14", "id_rsa_count_of"])
def test_ordinary_words_are_no_secret_files(chunk: str) -> None:
    assert "secret_path" not in classes(shape(chunk))


def test_whose_something_is_and_what_is_hyphened_is_classed_like_the_word() -> None:
    assert "earlier" in classes(FIRST["developer's"])
    assert PHRASES["built"]["in"]
