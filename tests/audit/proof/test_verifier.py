"""Each change to a log is told once, by its kind and its place; what follows it is not told again."""

import secrets
from dataclasses import replace
from typing import Any

import pytest

from audit.proof import bundle, chain
from audit.proof.checkpoint import Checkpoint
from audit.proof.findings import KEPT, Entry, Kind, Report
from audit.proof.kept import Pruning
from audit.proof.merkle import EMPTY, Frontier
from audit.proof.verifier import Verifier
from tests.audit.made_log import AUDIT_KEY, INSTALLATION, ORIGIN, SHARD, WRITERS, MadeLog, a_log, replaced


def verified(entries: list[Entry], *points: Checkpoint, keys: Any = (AUDIT_KEY,), **more: Any) -> Report:
    return Verifier(installation=INSTALLATION, keys=keys, checkpoints=points, **more).run(entries)


def told(report: Report) -> list[tuple[Kind, int | None]]:
    assert report.count == len(report.findings)
    return [(finding.kind, finding.index) for finding in report.findings]


def renumbered(entries: list[Entry]) -> list[Entry]:
    return [replaced(entry, index=index) for index, entry in enumerate(entries)]


def test_a_whole_log_agrees_with_every_checkpoint_of_it() -> None:
    log = a_log()
    points = [log.checkpoint(size) for size in range(len(log.entries) + 1)]

    report = verified(log.entries, *points)

    assert told(report) == []
    assert report.notices == []
    assert report.matched == points
    assert (report.records, report.authenticated, report.unauthenticated, report.end) == (11, 11, 0, 11)
    assert report.root == points[-1].root


def test_a_line_is_taken_unparsed_where_each_byte_of_it_is_due() -> None:
    log = MadeLog()
    for _ in range(3):
        log.call()
    *before, last = map(bundle.line, log.entries)
    verifier = Verifier(installation=INSTALLATION, keys=[AUDIT_KEY], checkpoints=[log.checkpoint(3)])
    parsed = []
    for number, line in enumerate(before):
        if not verifier.take_line(line):
            verifier.take(bundle.entry(line, number))
            parsed.append(number)
    record = range(start := last.index(b'"id":"') + len(b'"id":"'), start + 36)  # a copy: the body has it as well

    for at in set(range(len(last))) - set(record):
        assert not verifier.take_line(last[:at] + bytes([last[at] ^ 1]) + last[at + 1 :])
    assert not verifier.take_line(last[:-1])
    assert not verifier.take_line(before[-1])
    assert not verifier.take_line(b"")
    assert verifier.take_line(last)

    # The first record's key is not known yet, and with the third a checkpoint ends.
    assert parsed == [0, 2]
    assert verifier.close() == verified(log.entries, log.checkpoint(3))


def test_an_empty_log_agrees_with_its_checkpoint() -> None:
    report = verified([], Checkpoint(ORIGIN, 0, EMPTY))

    assert (report.count, report.records, len(report.matched)) == (0, 0, 1)


def test_without_a_key_macs_are_counted_and_all_else_is_held_against_the_log() -> None:
    log = a_log()

    report = verified(log.entries, log.checkpoint(), keys=())

    assert (report.count, report.authenticated, report.unchecked) == (0, 0, 11)


@pytest.mark.parametrize("index", range(11))
def test_an_edited_body_is_told_at_its_place_and_nowhere_else(index: int) -> None:
    log = a_log()
    body = (log.entries[index][8] or b"").replace(b'"v":1', b'"v":2')
    log.entries[index] = replaced(log.entries[index], body=body)

    assert told(verified(log.entries, log.checkpoint())) == [(Kind.LEAF, index)]


@pytest.mark.parametrize("index", range(11))
def test_a_body_edited_with_its_leaf_is_told_by_what_was_signed(index: int) -> None:
    log = a_log()
    point = log.checkpoint()
    body = (log.entries[index][8] or b"").replace(b'"installation":"4', b'"installation":"5')
    log.entries[index] = replaced(log.entries[index], body=body, leaf=chain.leaf(body))

    at = Kind.CHAIN if log.entries[index][3] is not None else Kind.MAC
    assert told(verified(log.entries, point)) == [(at, index), (Kind.ROOT, 10)]


def test_a_chain_made_anew_without_the_key_is_told_at_each_record_from_there() -> None:
    ours, forged = MadeLog(), MadeLog()
    ours.by_gateway(type="deny", event="call.denied")
    forged.by_gateway(type="deny", event="call.denied", reason="another")
    for log in (ours, forged):
        log.by_gateway(type="deny", event="call.denied")
        log.by_gateway(type="deny", event="call.denied")
    with_our_macs = [replaced(new, mac=old[6]) for new, old in zip(forged.entries, ours.entries, strict=True)]

    assert told(verified(with_our_macs)) == [(Kind.MAC, 0), (Kind.MAC, 1), (Kind.MAC, 2)]


def test_a_key_that_was_not_given_is_told() -> None:
    log = a_log()

    assert told(verified(log.entries, keys=[bytes(32)])) == [(Kind.UNKNOWN_KEY, index) for index in range(11)]
    assert told(verified(log.entries, keys=[bytes(32), AUDIT_KEY])) == []


@pytest.mark.parametrize("changes", [{"shard": SHARD + 1}, {"mac": bytes(36)}, {"mac": b""}])
def test_a_record_of_the_control_plane_stands_in_its_shard_by_its_mac(changes: dict[str, Any]) -> None:
    log = a_log()
    log.entries[0] = replaced(log.entries[0], **changes)

    kind = Kind.MAC if "shard" in changes else Kind.UNKNOWN_KEY
    assert told(verified(log.entries, log.checkpoint())) == [(kind, 0)]


def test_a_record_moved_to_another_shard_begins_a_chain_that_is_not_its_own() -> None:
    log = a_log()
    log.entries[1] = replaced(log.entries[1], shard=SHARD + 1)

    kinds = {kind for kind, _ in told(verified(log.entries, log.checkpoint()))}
    assert kinds == {Kind.CHAIN, Kind.MAC, Kind.SEQUENCE}


def test_a_chain_changed_alone_is_told_there() -> None:
    log = a_log()
    log.entries[1] = replaced(log.entries[1], chain=bytes(32))

    assert told(verified(log.entries, log.checkpoint()))[:2] == [(Kind.CHAIN, 1), (Kind.MAC, 1)]


def test_a_deleted_record_is_told_and_its_neighbours_are_whole() -> None:
    log = a_log()
    log.entries[2] = replaced(log.entries[2], body=None, chain=None, mac=None)

    report = verified(log.entries, log.checkpoint())
    assert told(report) == [(Kind.MISSING, 2)]
    assert report.findings[0].record == (log.entries[2][2]).decode()
    assert report.findings[0].seq == 2


def test_a_deleted_record_and_leaf_leave_a_gap_in_places_and_numbers() -> None:
    log = a_log()
    points = [log.checkpoint(size) for size in (1, 2, 3, 11)]
    del log.entries[2]

    report = verified(log.entries, *points)
    assert told(report) == [(Kind.INDEX, 2), (Kind.SEQUENCE, None), (Kind.ROOT, 2), (Kind.ROOT, 10)]
    assert (report.findings[1].writer, report.findings[1].seq) == (str(WRITERS[0]), 2)
    assert report.matched == points[:2]
    assert report.root is None


def test_places_closed_up_after_a_deletion_are_told_by_numbers_and_root() -> None:
    log = a_log()
    point = log.checkpoint()
    del log.entries[2]

    assert told(verified(renumbered(log.entries), point)) == [(Kind.SEQUENCE, None), (Kind.CUT, 10)]
    assert told(verified(renumbered(log.entries), replace(point, size=10))) == [(Kind.SEQUENCE, None), (Kind.ROOT, 9)]


def test_a_place_taken_twice_is_told() -> None:
    log = a_log()
    entries = [*log.entries[:5], log.entries[4], *log.entries[5:]]

    assert told(verified(entries, log.checkpoint())) == [(Kind.INDEX, 4)]


def test_a_number_taken_twice_is_told() -> None:
    log = MadeLog()
    for _ in range(3):
        log.by_gateway(type="deny", event="call.denied")
    again = replaced(log.entries[1], index=3)

    report = verified([*log.entries, again])
    assert told(report) == [(Kind.SEQUENCE, 3)]
    assert (report.findings[0].expected, report.findings[0].found) == ("4", "2")


def test_a_cut_tail_is_seen_by_a_newer_checkpoint_and_not_by_an_older_one() -> None:
    log = a_log()
    old, new = log.checkpoint(8), log.checkpoint()
    cut = log.entries[:8]

    assert told(verified(cut, old)) == []
    report = verified(cut, old, new)
    assert told(report) == [(Kind.CUT, 8)]
    assert (report.findings[0].expected, report.findings[0].found) == ("11 records", "8 records")


def test_another_history_is_told_by_the_first_checkpoint_that_differs() -> None:
    log = a_log()
    other = MadeLog()
    for _ in range(11):
        other.by_control_plane(type="admin", event="team.created")

    assert told(verified(other.entries, log.checkpoint(1), log.checkpoint())) == [(Kind.ROOT, 0), (Kind.ROOT, 10)]


def test_of_two_checkpoints_of_one_size_one_is_wrong() -> None:
    log = a_log()
    report = verified(log.entries, log.checkpoint(), replace(log.checkpoint(), root=bytes(32)))

    assert told(report) == [(Kind.ROOT, 10)]
    assert report.matched == [log.checkpoint()]


@pytest.mark.parametrize("index", [1, 0])
def test_a_body_that_names_another_place_is_told(index: int) -> None:
    ours = a_log()
    stranger = a_log().by_gateway(WRITERS[3], type="deny", event="call.denied")
    body = stranger[8]
    assert body is not None
    ours.entries[index] = replaced(ours.entries[index], body=body, leaf=chain.leaf(body))

    assert (Kind.BODY, index) in told(verified(ours.entries, keys=()))


class TestRecordsOfTheReleaseBefore:
    def old_and_new(self, *, chained: bool = True) -> MadeLog:
        log = MadeLog(key=None)
        log.call(WRITERS[0])
        log.by_control_plane(type="admin", event="team.created")
        log.key = AUDIT_KEY
        if chained:
            log.by_control_plane(type="checkpoint", event="log.chained", after={"from": 4})
        log.call(WRITERS[1])
        return log

    def test_they_are_counted_until_the_log_says_that_it_is_chained(self) -> None:
        log = self.old_and_new()

        report = verified(log.entries, log.checkpoint())

        assert told(report) == []
        assert (report.unauthenticated, report.authenticated) == (3, 3)

    @pytest.mark.parametrize("keys", [(AUDIT_KEY,), ()])
    def test_afterwards_they_are_forged(self, keys: Any) -> None:
        log = self.old_and_new()
        log.key = None
        log.by_gateway(WRITERS[2], type="deny", event="call.denied")
        log.by_control_plane(type="admin", event="team.created")

        assert told(verified(log.entries, keys=keys)) == [(Kind.UNAUTHENTICATED, 6), (Kind.UNAUTHENTICATED, 7)]

    @pytest.mark.parametrize("how", ["nobody's", "a stranger's", "within another's details", "a gateway's"])
    def test_it_is_the_log_that_says_so_and_nobody_else(self, how: str) -> None:
        log = self.old_and_new(chained=False)
        log.key = secrets.token_bytes(32) if how == "a stranger's" else None if how == "nobody's" else AUDIT_KEY
        if how == "a gateway's":
            log.by_gateway(type="checkpoint", event="log.chained")
        elif how == "within another's details":
            log.by_control_plane(type="admin", event="team.created", after={"event": "log.chained"})
        else:
            log.by_control_plane(type="checkpoint", event="log.chained")
        log.key = None
        log.by_control_plane(type="admin", event="team.created")

        report = verified(log.entries)
        assert (Kind.UNAUTHENTICATED, 6) not in told(report)

    def test_a_writer_that_made_macs_goes_on_making_them(self) -> None:
        log = self.old_and_new(chained=False)
        log.key = None
        log.by_gateway(WRITERS[1], type="deny", event="call.denied")

        assert told(verified(log.entries)) == [(Kind.UNAUTHENTICATED, 5)]


class TestPruned:
    def pruned(self, records: object = 3) -> MadeLog:
        log = MadeLog()
        log.call(WRITERS[0], server="files")
        log.by_control_plane(type="admin", event="team.created")
        after = {"shard": SHARD, "records": records}
        log.by_control_plane(shard=SHARD + 1, type="admin", event="log.pruned", after=after)
        log.entries[:3] = [replaced(entry, chain=None, mac=None, body=None) for entry in log.entries[:3]]
        return log

    def test_what_the_log_says_was_pruned_is_not_missing(self) -> None:
        log = self.pruned()

        report = verified(log.entries, log.checkpoint())

        assert told(report) == []
        assert (report.pruned, report.records) == (3, 4)

    @pytest.mark.parametrize("records", [2, "3", None])
    def test_more_than_that_is_missing(self, records: object) -> None:
        assert told(verified(self.pruned(records).entries)) == [(Kind.MISSING, index) for index in range(3)]

    def test_a_later_pruning_that_took_the_word_along_repeats_it(self) -> None:
        log = self.pruned()
        after = {"shard": SHARD + 1, "records": 1, "earlier": {str(SHARD): 3}, "chained_at": None}
        log.by_control_plane(shard=SHARD + 2, type="admin", event="log.pruned", after=after)
        log.entries[3] = replaced(log.entries[3], mac=None, body=None)

        report = verified(log.entries, log.checkpoint())

        assert (told(report), report.pruned) == ([], 4)

    def test_a_boundary_that_was_pruned_is_told_by_who_pruned_it(self) -> None:
        log = MadeLog(key=None)
        log.by_control_plane(type="admin", event="team.created")
        log.key = AUDIT_KEY
        log.by_control_plane(shard=SHARD, type="checkpoint", event="log.chained")
        log.key = None
        log.by_control_plane(shard=SHARD + 1, type="admin", event="role.created")
        log.key = AUDIT_KEY
        after = {"shard": SHARD, "records": 2, "earlier": {}, "chained_at": 1}
        log.by_control_plane(shard=SHARD + 1, type="admin", event="log.pruned", after=after)
        log.entries[:2] = [replaced(entry, mac=None, body=None) for entry in log.entries[:2]]

        assert told(verified(log.entries)) == [(Kind.UNAUTHENTICATED, 2)]

    @pytest.mark.parametrize("after", [None, 3, {"shard": "x", "records": 1, "earlier": 5, "chained_at": "1"}])
    def test_a_word_that_is_none_explains_nothing(self, after: object) -> None:
        assert not Pruning.of(after).months
        assert Pruning.of(after).chained_at is None

    def test_a_forged_word_of_it_explains_nothing(self) -> None:
        log = self.pruned()
        log.entries[3] = replaced(log.entries[3], mac=bytes(36))

        assert (Kind.MISSING, 0) in told(verified(log.entries))

    def test_of_very_many_some_are_named_and_all_are_counted(self) -> None:
        log = self.pruned()
        gone = log.entries[2]
        entries = [replaced(gone, index=index) for index in range(KEPT + 5)]

        report = verified(entries)
        assert (len(report.findings), report.count) == (KEPT, KEPT + 5)


class TestRanges:
    def test_a_range_goes_on_from_its_frontier(self) -> None:
        log = a_log()
        before = Frontier()
        before.extend(log.leaves()[:5])

        report = verified(log.entries[5:], log.checkpoint(), tree=before)

        assert told(report) == []
        assert (report.first, report.end, report.records, report.authenticated) == (5, 11, 6, 6)
        assert report.matched == [log.checkpoint()]
        assert before.size == 5

    def test_a_checkpoint_from_before_the_range_is_told_to_be_unchecked(self) -> None:
        log = a_log()
        before = Frontier()
        before.extend(log.leaves()[:5])

        report = verified(log.entries[5:], log.checkpoint(3), tree=before)

        assert told(report) == []
        assert [notice.kind for notice in report.notices] == [Kind.UNCHECKED]

    def test_where_the_head_is_known_the_chain_is_followed_from_it(self) -> None:
        log = a_log()
        before = Frontier()
        before.extend(log.leaves()[:2])
        heads = {(entry[3], entry[1], entry[4]): entry[5] for entry in log.entries if entry[3]}

        def known(writer: bytes, shard: int, seq: int) -> bytes | None:
            return heads[writer, shard, seq]

        def wrong(writer: bytes, shard: int, seq: int) -> bytes | None:
            return bytes(32)

        assert told(verified(log.entries[2:], tree=before, head_of=known)) == []
        assert told(verified(log.entries[2:], tree=before, head_of=wrong)) == [(Kind.CHAIN, 2)]


def test_what_is_no_entry_is_not_verified() -> None:
    log = a_log()
    for entry in (
        replaced(log.entries[0], leaf=None, body=None),
        replaced(log.entries[0], writer=b"0", seq=None),
    ):
        with pytest.raises(ValueError, match="record 0 has"):
            verified([entry])
    with pytest.raises(ValueError, match="without its body"):
        Verifier(installation=INSTALLATION).take_alone(replaced(log.entries[0], body=None))


def test_a_leaf_hash_that_was_not_stored_is_made_from_the_body() -> None:
    log = a_log()
    entries = [replaced(entry, leaf=None) for entry in log.entries]

    assert told(verified(entries, log.checkpoint())) == []
    assert Verifier(installation=INSTALLATION).take_alone(entries[1]) == log.entries[1][7]


def test_a_leaf_hash_changed_alone_is_told_there_and_by_the_root() -> None:
    log = a_log()
    point = log.checkpoint()
    log.entries[1] = replaced(log.entries[1], leaf=bytes(32))

    assert told(verified(log.entries, point)) == [(Kind.LEAF, 1), (Kind.ROOT, 10)]


def test_alone_a_record_is_held_against_body_and_mac() -> None:
    log = a_log()
    for entry in (log.entries[0], log.entries[3]):
        good = Verifier(installation=INSTALLATION, keys=[AUDIT_KEY])
        good.take_alone(entry)
        assert (good.report.count, good.report.authenticated) == (0, 1)
        bad = Verifier(installation=INSTALLATION, keys=[AUDIT_KEY])
        bad.take_alone(replaced(entry, body=(entry[8] or b"") + b" "))
        assert bad.report.count
