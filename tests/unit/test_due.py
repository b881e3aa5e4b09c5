"""Which key is next."""

from __future__ import annotations

from stream.due import BACKFILL, EDIT, LEAVER, RISE_S, DueQueue


def drained(queue: DueQueue, now: float) -> list[str]:
    keys = []
    while (key := queue.next(now)) is not None:
        keys.append(key)
    return keys


def test_the_lower_class_comes_first_and_within_a_class_the_older_key() -> None:
    queue = DueQueue()
    for moment, (key, priority) in enumerate([("edit", 2), ("joiner", 1), ("leaver", 0), ("joiner 2", 1)]):
        queue.add(key, priority, float(moment))
    assert drained(queue, 10.0) == ["leaver", "joiner", "joiner 2", "edit"]


def test_a_key_rises_one_class_for_every_quarter_of_an_hour() -> None:
    queue = DueQueue()
    queue.add("old edit", 2, 0.0)
    queue.add("new joiner", 1, RISE_S)
    assert queue.next(RISE_S) == "new joiner"
    queue.add("newer joiner", 1, RISE_S + 1)
    assert queue.next(RISE_S + 2) == "old edit"


def test_a_key_that_is_in_already_keeps_its_place() -> None:
    queue = DueQueue()
    queue.add("a", 1, 0.0)
    queue.add("b", 1, 1.0)
    queue.add("a", 1, 2.0)
    assert len(queue) == 2
    assert drained(queue, 3.0) == ["a", "b"]


def test_a_key_that_becomes_more_urgent_moves_up_and_keeps_its_age() -> None:
    queue = DueQueue()
    queue.add("becomes a leaver", 2, 0.0)
    queue.add("leaver", 0, 1.0)
    queue.add("joiner", 1, 1.0)
    queue.add("becomes a leaver", 0, 2.0)
    assert len(queue) == 3
    assert drained(queue, 3.0) == ["becomes a leaver", "leaver", "joiner"]


def test_a_key_for_later_is_not_due_before_its_moment() -> None:
    queue = DueQueue()
    queue.add("later", 0, 0.0, at=5.0)
    assert "later" in queue
    assert queue.ripe_at(1.0) == 5.0
    assert queue.next(4.9) is None
    assert queue.ripe_at(5.0) == 5.0
    assert queue.next(5.0) == "later"
    assert queue.ripe_at(5.0) is None


def test_a_key_that_waits_for_its_moment_goes_on_waiting_when_it_becomes_more_urgent() -> None:
    queue = DueQueue()
    queue.add("later", 2, 0.0, at=5.0)
    queue.add("later", 0, 1.0)
    assert queue.next(4.0) is None
    queue.add("joiner", 1, 4.0)
    assert drained(queue, 5.0) == ["later", "joiner"]


def test_a_removed_key_is_gone_and_may_come_back() -> None:
    queue = DueQueue()
    queue.add("a", 0, 0.0)
    queue.add("b", 0, 0.0, at=5.0)
    queue.remove("a")
    queue.remove("b")
    queue.remove("never there")
    assert len(queue) == 0
    assert queue.ripe_at(9.0) is None
    queue.add("a", 1, 9.0)
    assert drained(queue, 9.0) == ["a"]


def test_a_key_that_is_tried_again_has_waited_already() -> None:
    queue = DueQueue()
    queue.add("again", 1, 100.0, at=105.0, since=10.0)
    queue.add("new", 1, 50.0)
    assert queue.next(101.0) == "new"
    queue.add("new", 1, 101.0)
    assert drained(queue, 105.0) == ["again", "new"]


def test_who_leaves_in_the_second_hour_of_a_first_load_waits_for_one_turn_at_most() -> None:
    queue = DueQueue()
    for number in range(50):
        queue.add(f"first load {number}", BACKFILL, 0.0)
    now = 7200.0
    for number in range(5):
        queue.add(f"leaver {number}", LEAVER, now)
        assert f"leaver {number}" in (queue.next(now), queue.next(now))
        now += 1.0


def test_a_first_load_goes_on_while_changes_keep_coming() -> None:
    queue = DueQueue()
    for number in range(50):
        queue.add(f"first load {number}", BACKFILL, 0.0)
    now, turns = 7200.0, []
    for number in range(40):
        queue.add(f"edit {number}", EDIT, now)
        turns.append(queue.next(now))
        now += 1.0
    assert sum(key is not None and key.startswith("first load") for key in turns) == 20


def test_classes_that_may_not_begin_wait_without_losing_their_place() -> None:
    queue = DueQueue()
    queue.add("first load", BACKFILL, 0.0)
    assert queue.next(1.0, BACKFILL) is None
    assert queue.ripe_at(1.0, BACKFILL) is None
    queue.add("edit", EDIT, 1.0)
    assert queue.ripe_at(1.0, BACKFILL) == 1.0
    assert queue.next(1.0, BACKFILL) == "edit"
    assert queue.next(1.0) == "first load"
