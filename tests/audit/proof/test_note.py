from base64 import b64encode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from audit.proof.note import NOTE_MAX, Note, NoteError, SigningKey, VerifierKey, opened, parsed, signed

# From c2sp.org/signed-note.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SIGNATURE = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
EXAMPLE = f"This is an example message.\n\n— example.com/foo {SIGNATURE}\n".encode()
KEY = SigningKey("holdfast.example/audit", bytes(range(32)))
OTHER = SigningKey("witness.example", bytes(range(1, 33)))
TEXT = "holdfast.example/audit\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
NOTE = signed(TEXT, KEY, OTHER)


def line(name: str, value: bytes) -> bytes:
    return f"— {name} {b64encode(value).decode()}\n".encode()


def test_the_specifications_own_note_verifies() -> None:
    key = VerifierKey.parse(VKEY)

    assert str(key) == VKEY
    assert opened(EXAMPLE, [key]).text == "This is an example message.\n"


def test_a_note_is_signed_and_verified_by_each_of_its_keys() -> None:
    for keys in ([KEY], [OTHER], [KEY, OTHER]):
        note = opened(NOTE, [key.verifier for key in keys])
        assert note.text == TEXT
        assert [signature.name for signature in note.signatures] == [KEY.name, OTHER.name]


def test_nobodys_note_is_refused() -> None:
    with pytest.raises(NoteError, match="no known key"):
        opened(NOTE, [SigningKey.generate(KEY.name).verifier])
    with pytest.raises(NoteError, match="no known key"):
        opened(NOTE, [])


def test_a_wrong_signature_of_a_known_key_rejects_the_whole_note() -> None:
    forged = signed(TEXT, OTHER) + line(KEY.name, KEY.verifier.key_id + bytes(64))

    assert opened(forged, [OTHER.verifier]).text == TEXT
    with pytest.raises(NoteError, match=r"a signature by holdfast\.example/audit is wrong"):
        opened(forged, [OTHER.verifier, KEY.verifier])


def test_a_signature_of_a_changed_text_is_wrong() -> None:
    with pytest.raises(NoteError, match="is wrong"):
        opened(NOTE.replace(b"\n0\n", b"\n1\n"), [KEY.verifier])


def test_what_shares_only_a_name_or_only_an_id_is_ignored() -> None:
    strangers = line(KEY.name, b"\0\0\0\0" + bytes(64)) + line("someone.else", KEY.verifier.key_id + bytes(64))

    assert opened(NOTE + strangers, [KEY.verifier]).text == TEXT


def test_the_same_signature_twice_is_still_that_signature() -> None:
    assert opened(NOTE + KEY.signature_line(TEXT.encode()).encode(), [KEY.verifier]).text == TEXT


def test_sixteen_signatures_are_read_and_a_thousand_are_not() -> None:
    stranger = line("witness.example/pq", bytes(5000))

    assert len(opened(NOTE + stranger * 16, [KEY.verifier]).signatures) == 18
    with pytest.raises(NoteError, match="too many"):
        parsed(NOTE + line("w", bytes(5)) * 1000)
    with pytest.raises(NoteError, match="too large"):
        parsed(b"a" * NOTE_MAX + NOTE)


def test_a_text_with_empty_lines_ends_before_the_last() -> None:
    text = "sera:\n\ned è subito sera.\n\n"

    assert opened(signed(text, KEY), [KEY.verifier]).text == text


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(NOTE.replace(b"\n", b"\r\n"), id="carriage returns"),
        pytest.param(NOTE.replace(b"\n0\n", b"\n0\t\n"), id="a tab"),
        pytest.param(NOTE.replace(b"\n0\n", b"\n\xff\n"), id="no UTF-8"),
        pytest.param(NOTE[:-1], id="no newline at the end"),
        pytest.param(TEXT.encode(), id="no signatures"),
        pytest.param(TEXT.encode() + b"\n", id="an empty line and nothing"),
        pytest.param(NOTE + b"\n", id="an empty line at the end"),
        pytest.param(NOTE.replace("—".encode(), b"-"), id="a hyphen"),
        pytest.param(NOTE + "— \n".encode(), id="no name"),
        pytest.param(NOTE + "— name\n".encode(), id="no value"),
        pytest.param(NOTE + "— name AAAA\n".encode(), id="a short value"),
        pytest.param(NOTE + "— na+me AAAAAAAA\n".encode(), id="a plus in the name"),
        pytest.param(NOTE + "— na\u00a0me AAAAAAAA\n".encode(), id="a blank in the name"),
        pytest.param(NOTE + "— name AAAAAAA=\n— name AAAAAAB=\n".encode(), id="base64 with loose ends"),
        pytest.param(NOTE + "— name AAAA AAAA\n".encode(), id="a blank in the value"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\n\n", id="two newlines"),
    ],
)
def test_what_is_no_note_is_refused(data: bytes) -> None:
    with pytest.raises(NoteError):
        opened(data, [KEY.verifier, OTHER.verifier])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(NOTE) - 1))
def test_a_truncated_note_is_refused(length: int) -> None:
    try:
        note = opened(NOTE[:length], [KEY.verifier])
    except NoteError:
        return
    assert note.text == TEXT
    assert len(note.signatures) == 1  # cut exactly between two lines


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300))
@example(NOTE)
@example("— ".encode())
def test_whatever_is_read_is_a_note_or_an_error(data: bytes) -> None:
    try:
        note = parsed(data)
    except NoteError:
        return
    assert isinstance(note, Note)
    assert data.startswith(note.text.encode() + b"\n" + "— ".encode())


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_note_with_a_changed_byte_says_nothing_else(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(NOTE) - 1))
    changed = NOTE[:at] + data.draw(st.binary(max_size=3)) + NOTE[at + 1 :]
    try:
        note = opened(changed, [KEY.verifier])
    except NoteError:
        return
    assert note.text == TEXT


@pytest.mark.parametrize(
    "text", ["", "no newline", "a\x00\n", "a\r\n", "a\tb\n"], ids=["empty", "open", "nul", "return", "tab"]
)
def test_a_text_that_no_note_may_hold_is_not_signed(text: str) -> None:
    with pytest.raises(NoteError):
        signed(text, KEY)


def test_a_note_without_a_key_is_not_made() -> None:
    with pytest.raises(NoteError):
        signed(TEXT)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000",
        VKEY.replace("530d903a", "530d903b"),
        VKEY.replace("example", "exam ple"),
        VKEY.upper(),
        VKEY[:-1],
        "name+00000000+" + b64encode(b"\x04" + bytes(32)).decode(),
        "name+00000000+" + b64encode(b"\x01" + bytes(31)).decode(),
    ],
)
def test_what_is_no_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(vkey)


def test_a_signing_key_shows_its_public_half_alone() -> None:
    key = SigningKey.generate("holdfast.example/audit")

    assert VerifierKey.parse(str(key.verifier)) == key.verifier
    assert b64encode(key.seed).decode() not in repr(key)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\x1bb"])
def test_a_key_has_no_name_that_a_note_could_not_hold(name: str) -> None:
    with pytest.raises(NoteError):
        SigningKey.generate(name)
