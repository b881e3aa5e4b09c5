"""The queue against the plainest possible one: a list that is searched through."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.due import CLASSES, RISE_S, DueQueue

KEYS = ("a", "b", "c", "d", "e")
adds = st.tuples(
    st.just("add"),
    st.sampled_from(KEYS),
    st.integers(0, CLASSES - 1),
    st.one_of(st.none(), st.sampled_from([1.0, 400.0, 2000.0])),
    st.one_of(st.none(), st.sampled_from([0.0, 600.0, 5000.0])),
)
steps = st.lists(
    st.one_of(
        adds,
        adds,
        st.tuples(st.just("remove"), st.sampled_from(KEYS)),
        st.tuples(st.just("next"), st.integers(1, CLASSES)),
        st.tuples(st.just("wait"), st.sampled_from([1.0, 500.0, RISE_S])),
    ),
    max_size=40,
)


@given(steps)
def test_the_next_key_is_the_due_one_with_the_best_class_before_or_after_rising(happenings: list[tuple]) -> None:
    queue, now, risen_first = DueQueue(), 0.0, False
    plain: dict[str, tuple[float, float, int]] = {}
    for step in happenings:
        match step:
            case ("add", key, priority, wait, age):
                aged = None if age is None else now - age
                queue.add(key, priority, now, at=None if wait is None else now + wait, since=aged)
                ripe = now + (wait or 0.0)
                ripe, since, known = plain.get(key, (ripe, ripe if aged is None else aged, CLASSES))
                plain[key] = ripe, since, min(known, priority)
            case ("remove", key):
                queue.remove(key)
                plain.pop(key, None)
            case ("wait", seconds):
                now += seconds
            case ("next", classes):
                due = {k: (p, since) for k, (ripe, since, p) in plain.items() if ripe <= now and p < classes}
                risen = {k: p - (now - since) / RISE_S for k, (p, since) in due.items()}
                assert queue.ripe_at(now, classes) == (
                    now if due else min((r for r, _, _ in plain.values() if r > now), default=None)
                )
                found = queue.next(now, classes)
                assert (found is None) == (not due)
                if found is not None:
                    best, first = min(p for p, _ in due.values()), min(risen.values())
                    if best != due[min(risen, key=lambda k: (risen[k], due[k][0]))][0]:
                        risen_first = not risen_first
                    if risen_first:
                        assert risen[found] == first
                    else:
                        assert due[found] == min(due.values())
                    del plain[found]
        assert len(queue) == len(plain)
        assert all((key in queue) == (key in plain) for key in KEYS)
        due = [ripe for ripe, _, _ in plain.values()]
        assert queue.ripe_at(now) == (max(now, min(due)) if due else None)


@given(st.lists(st.integers(0, CLASSES - 1), min_size=1, max_size=8))
def test_nothing_waits_for_ever(priorities: list[int]) -> None:
    """However many urgent keys come, the least urgent one is next or next but one, once it has risen above them."""
    queue = DueQueue()
    queue.add("patient", CLASSES - 1, 0.0)
    now = CLASSES * RISE_S
    for number, priority in enumerate(priorities):
        queue.add(str(number), priority, now)
    assert "patient" in (queue.next(now + 1.0), queue.next(now + 1.0))
