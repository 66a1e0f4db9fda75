"""What is known by its id."""

from miniapm.domain.receivers.delivery_ids import fit_id, name_delivery


def test_an_id_stays_as_it_was_sent() -> None:
    assert name_delivery("x" * 400, b"body") == "x" * 400


def test_long_ids_are_told_apart_to_the_end() -> None:
    first, second = (name_delivery("x" * 400 + end, b"body") for end in "ab")
    assert first != second
    assert len(first) < 100


def test_without_an_id_the_same_bytes_are_the_same_delivery() -> None:
    assert name_delivery(None, b"a") == name_delivery("", b"a") != name_delivery(None, b"b")


def test_an_id_with_half_a_character_can_be_stored() -> None:
    first, second = fit_id("a\ud800", 10), fit_id("a\ud801", 10)
    assert first.encode() != second.encode()
    assert fit_id("a?", 10) == "a?"
