"""Which contacts of a reading of everybody wait until it is known who shares their address."""

from __future__ import annotations

import pytest

from stream.core import folds
from stream.core.folds import SWEEP
from stream.core.rows import Company, ContactState
from stream.core.sharing import Sharing
from stream.lane import Waiting
from stream.records import Command
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


def test_who_alone_states_an_address_is_clear_once_the_list_was_read_and_who_shares_one_is_not() -> None:
    sharing = Sharing(lambda: LOADING)
    sharing.listed(["Ada@acme.test", "bo@acme.test", "ADA@ACME.TEST "])
    assert sharing.is_unclear(wish())
    assert sharing.is_unclear(wish(backfill=False)), "whoever told of it, somebody else states it too"
    assert not sharing.is_unclear(wish(email="bo@acme.test"))
    sharing.folded()
    assert not sharing.is_unclear(wish()), "its row says so now, if it is held"


def test_what_an_earlier_owner_left_of_a_reading_is_unclear_until_the_list_was_read() -> None:
    assert Sharing(lambda: LOADING).is_unclear(wish())
    assert not Sharing(lambda: LOADING).is_unclear(wish(backfill=False)), "nobody waits whom a webhook told of"
    assert not Sharing(lambda: Company()).is_unclear(wish())
    assert not Sharing(lambda: None).is_unclear(wish())


def test_a_reading_that_was_given_up_leaves_nobody_waiting() -> None:
    sharing = Sharing(lambda: Company())
    sharing.listed(["ada@acme.test"] * 2)
    sharing.forget()
    assert not sharing.is_unclear(wish())


@pytest.mark.parametrize("preview", [False, True])
def test_a_contact_is_neither_begun_nor_previewed_before_it_is_known_who_shares_it(preview: bool) -> None:
    world = SmallWorld()
    sharing = Sharing(lambda: LOADING)
    world.work = keep_contacts(
        world.zoho, world.tables.contacts.get, world.append, world.clock, preview=preview, sharing=sharing
    )
    sharing.listed(["ada@acme.test"] * 2)
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
    sharing.listed(["ada@acme.test"] * 2)
    assert not sharing.is_unclear(world.tables.contacts[key_of(world, "1")])
