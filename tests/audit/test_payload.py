from audit.payload import COLUMNS, TYPES, Payload


def test_every_field_of_a_payload_has_its_column_and_type() -> None:
    assert len(COLUMNS) == len(TYPES) == len(Payload.__struct_fields__)
    assert "shard" not in COLUMNS
