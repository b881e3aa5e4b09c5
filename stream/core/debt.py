"""What a row owes: work is wanted up to one position and settled up to another, and both only ever grow.

So folding is idempotent, and the order in which the topics interleave does not matter. Parked work waits for a person
or for a newer wish; the reason is kept beside it. Previewed work waits for nobody but the preview's end.
"""

from __future__ import annotations

from stream.records import Model

NOTHING = -1
"""Before every offset."""


class Debt(Model):
    """Offsets of the topic that causes the work: hr-events for a person, employees for a contact.

    previewed: up to which it was only said what would be done; that is still owed once the connection is live.
    """

    wanted: int = NOTHING
    settled: int = NOTHING
    parked: int = NOTHING
    previewed: int = NOTHING
    reason: str | None = None

    @property
    def owed(self) -> bool:
        return self.owes(self.wanted)

    @property
    def unseen(self) -> bool:
        """Owed, and not previewed either: what there is to do in preview."""
        return self.owed and self.wanted > self.previewed

    def owes(self, offset: int) -> bool:
        """Whether what was wanted at `offset` is neither done nor parked."""
        return offset > max(self.settled, self.parked)

    def want(self, offset: int) -> Debt:
        """Work is wanted up to `offset`."""
        return self.model_copy(update={"wanted": max(self.wanted, offset)})

    def settle(self, offset: int) -> Debt:
        """Work is done up to `offset`; a reason for parking goes when nothing is parked beyond it."""
        settled = max(self.settled, offset)
        return self.model_copy(update={"settled": settled, "reason": self.reason if self.parked > settled else None})

    def park(self, offset: int, reason: str) -> Debt:
        """Work up to `offset` waits for a person. A park that is already behind is no longer of interest."""
        if offset < self.parked or offset <= self.settled:
            return self
        return self.model_copy(update={"parked": offset, "reason": reason})

    def preview(self, offset: int) -> Debt:
        """It was said what would be done for work up to `offset`."""
        return self.model_copy(update={"previewed": max(self.previewed, offset)})
