"""Sentences, their words, and frames over them."""

import pytest

from tools.scanner.clauses import SENTENCE_MAX, frame, sentences
from tools.scanner.lexicon import CLASSES


def words(text: str) -> list[list[str]]:
    return [list(sentence.words) for sentence in sentences(text)]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Reads files. Sends mail.", [["reads", "files"], ["sends", "mail"]]),
        ("Reads e.g. one file", [["reads", "e", "g", "one", "file"]]),
        ("Reads files\nof one folder", [["reads", "files", "of", "one", "folder"]]),
        ("Reads files\n\nSends mail", [["reads", "files"], ["sends", "mail"]]),
        ("Reads files\n- sends mail", [["reads", "files"], ["sends", "mail"]]),
        ("Reads files\nArgs: two words", [["reads", "files"], ["args", "two", "words"]]),
        ("Don't stop", [["don't", "stop"]]),
        ("see read_file and readFile", [["see", "read_file", "read", "file", "and", "readfile", "readfile"]]),
    ],
)
def test_text_is_cut_into_sentences_of_words(text: str, cut: list[list[str]]) -> None:
    assert words(text) == cut


def test_a_very_long_sentence_is_cut_with_an_overlap() -> None:
    found = sentences("word " * (SENTENCE_MAX + 10))
    assert [len(sentence.words) for sentence in found] == [SENTENCE_MAX, 40]


def test_words_know_where_they_lie() -> None:
    text = "Ends here. Then read ~/.ssh/id_rsa, please"
    sentence = sentences(text)[1]
    assert [text[start:end] for start, end in sentence.spans] == ["Then", "read", "~/.ssh/id_rsa", "please"]


@pytest.mark.parametrize(
    ("notation", "said", "is_found"),
    [
        ("read secret_path", "read ~/.ssh/id_rsa", True),
        ("read secret_path", "read a b ~/.ssh/id_rsa", True),
        ("read secret_path", "read a b c ~/.ssh/id_rsa", False),
        ("read . secret_path", "read a b c d ~/.ssh/id_rsa", True),
        ("read .. secret_path", "read a b c d e f g h ~/.ssh/id_rsa", True),
        ("read .. secret_path", "read a b c d e f g h i ~/.ssh/id_rsa", False),
        ("read ... secret_path", "read a b c d e f g h i ~/.ssh/id_rsa", True),
        ("read! secret_path", "reads ~/.ssh/id_rsa", False),
        ("read|send secret_path", "sends ~/.ssh/id_rsa", True),
        ("secret_path read", "read ~/.ssh/id_rsa", False),
    ],
)
def test_a_frame_asks_for_order_form_and_nearness(notation: str, said: str, *, is_found: bool) -> None:
    (sentence,) = sentences(said)
    assert (frame(notation).find(sentence) is not None) is is_found


def test_a_phrase_counts_at_its_first_word() -> None:
    (sentence,) = sentences("the private key stays")
    assert [bool(mask & CLASSES["secret"]) for mask in sentence.masks] == [False, True, False, False]
