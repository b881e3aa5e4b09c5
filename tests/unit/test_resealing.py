"""Settings that are saved while others are sealed anew: what was saved last is what stays."""

from __future__ import annotations

from datetime import timedelta

from stream.resealing import Saved
from stream.vault import Vault
from stream.vault.key_ring import new_ring
from tests.unit.test_places import settings

KEY = "acme|settings"


def test_an_older_saving_that_lands_behind_a_newer_one_is_not_taken_for_it() -> None:
    before = settings(Vault(new_ring(), source="the ring"))
    after = before.model_copy(update={"mode": "paused", "saved_at": before.saved_at + timedelta(seconds=1)})
    saved = Saved()
    for record in (before, after, before):  # read, saved by somebody else, sealed anew by us
        saved.hear(KEY, record)
    assert saved.latest == {KEY: after}
    saved.hear(KEY, None)
    assert saved.latest == {}
