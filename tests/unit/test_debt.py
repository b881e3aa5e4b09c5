"""Wanted, settled and parked only ever grow."""

from __future__ import annotations

from stream.core.debt import Debt


def test_a_debt_is_owed_until_it_is_settled_up_to_what_is_wanted() -> None:
    debt = Debt().want(3).want(7)
    assert debt.owed
    assert debt.settle(3).owed
    assert not debt.settle(7).owed


def test_older_positions_change_nothing() -> None:
    debt = Debt().want(7).settle(7)
    assert debt.want(3).settle(2) == debt


def test_what_is_parked_is_not_due_until_something_newer_is_wanted() -> None:
    debt = Debt().want(4).park(4, "refused")
    assert not debt.owed
    assert debt.reason == "refused"
    assert debt.want(5).owed


def test_settling_beyond_a_park_clears_its_reason_and_settling_before_it_does_not() -> None:
    debt = Debt().want(9).park(9, "refused")
    assert debt.settle(5).reason == "refused"
    assert debt.settle(9).reason is None


def test_a_park_of_what_is_settled_already_is_of_no_interest() -> None:
    debt = Debt().want(4).settle(4)
    assert debt.park(4, "late") == debt
    assert debt.park(3, "late") == debt


def test_previewed_work_is_still_owed_once_the_connection_is_live() -> None:
    debt = Debt().want(4).preview(4)
    assert debt.owed
    assert not debt.unseen
    assert debt.want(5).unseen
