"""Histograms of our own, read back with the parser of the client library and compared with its own histogram."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.distribution import SERIES_MAX, Distribution

BOUNDS = (0.1, 1.0, 5.0)


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", 'q"\\\n']), st.one_of(st.sampled_from(BOUNDS), st.floats(0, 100))),
        max_size=30,
    )
)
def test_it_says_what_the_librarys_histogram_says(values):
    registry = CollectorRegistry()
    theirs = Histogram("x_seconds", "Text.", ["who"], buckets=BOUNDS, registry=registry)
    ours = Distribution("x_seconds", "Text.", ("who",), BOUNDS, other="_")
    for who, value in values:
        theirs.labels(who).observe(value)
        ours.observe((who,), value)
    assert samples(ours.exposition()) == samples(generate_latest(registry).decode())


def test_what_has_no_labels_is_there_before_its_first_value():
    assert samples(Distribution("x", "Text.", (), BOUNDS, other="_").exposition())[("x_count", ())] == 0


def test_label_sets_have_an_end_and_no_value_is_lost():
    many = Distribution("x", "Text.", ("who",), BOUNDS, other="_OTHER")
    for n in range(SERIES_MAX + 50):
        many.observe((str(n),), 0.5)
    found = samples(many.exposition())
    counts = {labels: value for (name, labels), value in found.items() if name == "x_count"}
    assert len(counts) == SERIES_MAX + 1
    assert counts[(("who", "_OTHER"),)] == 50
    assert len(many._tallies) == SERIES_MAX + 1
