"""Which contacts of a reading of everybody wait until it is known who shares their address."""

from __future__ import annotations

import pytest

from stream.core import folds
from stream.core.folds import SWEEP
from stream.core.rows import Company, ContactState
from stream.core.sharing import Sharing
from stream.lane import Waiting
from stream.records import Command, Email, EmployeeId
from stream.topics import COMMANDS
from tests.fake_clock import START
from tests.small_world import ACME, SmallWorld, at, keep_contacts, person
from tests.unit.test_keep_contacts import actions, key_of, run

LOADING = folds.ask(
    Company(), Command(connection=ACME, command=SWEEP, asked_by="me", work=True, at=START), at(COMMANDS.name, 0)
)


def wish(*, backfill: bool = True, email: str = "ada@acme.test") -> ContactState:
    """The row of a contact that a reading has just brought."""
    world = SmallWorld()
    world.hire("1", person(email))
    state = world.tables.contacts[key_of(world, "1")]
    return state if not backfill else state.model_copy(update={"live": -1})


ADA, BO = Email("ada@acme.test"), Email("bo@acme.test")
ONE, TWO = EmployeeId("1"), EmployeeId("2")


def test_who_alone_states_an_address_is_clear_once_the_list_was_read_and_who_shares_one_is_not() -> None:
    sharing = Sharing(lambda: LOADING)
    sharing.listed([(ONE, ADA), (ONE, BO), (TWO, ADA)])
    assert sharing.is_unclear(wish(email="Ada@ACME.test"))
    assert not sharing.is_unclear(wish(email=BO))
    sharing.folded()
    assert not sharing.is_unclear(wish()), "its row says so now, if it is held"


def test_whoever_a_webhook_tells_of_waits_for_somebody_else_on_the_list_and_for_nobody_otherwise() -> None:
    sharing = Sharing(lambda: LOADING)
    sharing.listed([(TWO, ADA)])
    assert sharing.is_unclear(wish(backfill=False))
    assert not sharing.is_unclear(wish(backfill=False, email=BO))


def test_what_an_earlier_owner_left_of_a_reading_is_unclear_until_the_list_was_read() -> None:
    assert Sharing(lambda: LOADING).is_unclear(wish())
    assert not Sharing(lambda: LOADING).is_unclear(wish(backfill=False)), "nobody waits whom a webhook told of"
    assert not Sharing(lambda: Company()).is_unclear(wish())
    assert not Sharing(lambda: None).is_unclear(wish())
    later = LOADING.model_copy(update={"swept_at": START})
    assert not Sharing(lambda: later).is_unclear(wish()), "only a first load has many"


def test_a_reading_that_was_given_up_leaves_nobody_waiting() -> None:
    sharing = Sharing(lambda: Company())
    sharing.listed([(ONE, ADA), (TWO, ADA)])
    sharing.forget()
    assert not sharing.is_unclear(wish())


@pytest.mark.parametrize("preview", [False, True])
def test_a_contact_is_neither_begun_nor_previewed_before_it_is_known_who_shares_it(preview: bool) -> None:
    world = SmallWorld()
    sharing = Sharing(lambda: LOADING)
    world.work = keep_contacts(
        world.zoho, world.tables.contacts.get, world.append, world.clock, preview=preview, sharing=sharing
    )
    sharing.listed([(ONE, ADA), (TWO, ADA)])
    world.hire("1", person())
    with pytest.raises(Waiting):
        run(world.work.pay(key_of(world, "1")))
    assert (world.zoho.calls, actions(world)) == ([], [])
    world.hire("2", person())
    sharing.folded()
    assert not run(world.work.pay(key_of(world, "1"))), "held for both"
    assert (world.zoho.calls, actions(world)) == ([], [])


def test_a_contact_that_exists_is_kept_meanwhile() -> None:
    world = SmallWorld()
    sharing = Sharing(lambda: LOADING)
    world.hire("1", person())
    world.settle()
    sharing.listed([(ONE, ADA), (TWO, ADA)])
    assert not sharing.is_unclear(world.tables.contacts[key_of(world, "1")])
