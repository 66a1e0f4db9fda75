"""What is remembered: by key and version, those asked for last, within its bytes."""

from miniapm.storage.memory import Memory


def test_a_value_is_found_in_its_version_only() -> None:
    memory = Memory(100_000)
    memory.keep("a", 1, "first", 9_000)
    assert memory.find("a", 1) == "first"
    assert memory.find("a", 2) is None
    assert memory.find("b", 1) is None
    memory.keep("a", 2, "second", 9_000)
    assert memory.find("a", 2) == "second"
    assert memory.find("a", 1) is None


def test_what_was_not_asked_for_goes_first() -> None:
    memory = Memory(100_000)
    for key in "abc":
        memory.keep(key, 1, key, 29_000)
    assert memory.find("a", 1) == "a"
    memory.keep("d", 1, "d", 29_000)
    assert [key for key in "abcd" if memory.find(key, 1)] == ["a", "c", "d"]


def test_what_replaces_a_value_takes_its_room() -> None:
    memory = Memory(100_000)
    memory.keep("a", 1, "a", 59_000)
    for version in range(5):
        memory.keep("b", version, "b", 39_000)
    assert memory.find("a", 1) == "a"


def test_what_is_too_large_is_not_kept() -> None:
    memory = Memory(100_000)
    memory.keep("a", 1, "a", 59_000)
    memory.keep("b", 1, "b", 101_000)
    assert memory.find("b", 1) is None
    assert memory.find("a", 1) == "a"
    memory.keep("a", 2, "larger", 101_000)
    assert memory.find("a", 1) is None


def test_without_room_nothing_is_remembered() -> None:
    memory = Memory(0)
    memory.keep("a", 1, "a", 1_000)
    assert memory.find("a", 1) is None


def test_what_takes_no_room_takes_some() -> None:
    memory = Memory(10_000)
    for number in range(100):
        memory.keep(number, 1, number + 1, 0)
    assert sum(memory.find(number, 1) is not None for number in range(100)) < 11
