"""What a row owes: work is wanted up to one position and settled up to another, and both only ever grow.

So folding is idempotent, and the order in which the topics interleave does not matter. Parked work waits for a person
or for a newer wish; the reason is kept beside it. Held work waits for a person's approval of just this position.
Previewed work waits for nobody but the preview's end.
"""

from __future__ import annotations

from pydantic import Field

from stream.records import Model

NOTHING = -1
"""Before every offset."""
LATER = 2**62
"""An offset behind all that a topic will ever hold."""


class Debt(Model):
    """Offsets of the topic that causes the work: hr-events for a person, employees for a contact.

    previewed: up to which it was only said what would be done; that is still owed once the connection is live.
    released: up to which a person lets what is previewed be done at once, though the preview goes on.
    held: up to which the leaver guard holds it. approved, rejected: up to which a person decided about that.
    shared: up to which a contact is neither made nor taken over, since several active people state its address; it
        counts until that was begun.
    """

    wanted: int = NOTHING
    settled: int = NOTHING
    parked: int = NOTHING
    previewed: int = NOTHING
    released: int = Field(default=NOTHING, exclude_if=lambda offset: offset == NOTHING)
    held: int = NOTHING
    approved: int = NOTHING
    rejected: int = NOTHING
    shared: int = Field(default=NOTHING, exclude_if=lambda offset: offset == NOTHING)
    begun: bool = Field(default=False, exclude_if=lambda begun: not begun)
    reason: str | None = None

    @property
    def owed(self) -> bool:
        return self.owes(self.wanted)

    @property
    def unseen(self) -> bool:
        """Owed, and not previewed either: what there is to do in preview."""
        return self.owed and self.wanted > self.previewed

    @property
    def let_through(self) -> bool:
        """Owed, and to be done even in preview."""
        return self.owed and self.wanted <= self.released

    def owes(self, offset: int) -> bool:
        """Whether what was wanted at `offset` is neither done nor parked, nor held without an approval."""
        held = self.held if self.held > self.approved else NOTHING
        shared = NOTHING if self.begun else self.shared
        return offset > max(self.settled, self.parked, held, shared)

    @property
    def set_aside(self) -> bool:
        """Not done, and not owed before a person has decided or corrected something."""
        waits = not self.begun and self.shared >= self.wanted > self.settled
        return not self.owed and (self.parked > self.settled or self.undecided or waits)

    @property
    def undecided(self) -> bool:
        """Held, and nobody has decided about it."""
        return self.held > max(self.settled, self.approved, self.rejected)

    def want(self, offset: int) -> Debt:
        """Work is wanted up to `offset`."""
        return self.model_copy(update={"wanted": max(self.wanted, offset)})

    def share(self, offset: int) -> Debt:
        """Several active people state the address of a contact: what is wanted up to `offset` waits for one of them."""
        return self.model_copy(update={"shared": max(self.shared, offset)})

    def begin(self) -> Debt:
        """A contact is made or taken over, or may be."""
        return self if self.begun else self.model_copy(update={"begun": True})

    def settle(self, offset: int) -> Debt:
        """Work is done up to `offset`; a reason for parking goes when nothing is parked beyond it."""
        settled = max(self.settled, offset)
        return self.model_copy(update={"settled": settled, "reason": self.reason if self.parked > settled else None})

    def park(self, offset: int, reason: str) -> Debt:
        """Work up to `offset` waits for a person. A park that is already behind is no longer of interest."""
        if offset < self.parked or offset <= self.settled:
            return self
        return self.model_copy(update={"parked": offset, "reason": reason})

    def hold(self, offset: int) -> Debt:
        """The leaver guard holds work up to `offset`."""
        return self.model_copy(update={"held": max(self.held, offset)})

    def approve(self, offset: int) -> Debt:
        """A person lets go what is held up to `offset`; what is held beyond it stays so. It outweighs a rejection."""
        return self.model_copy(update={"approved": max(self.approved, offset)})

    def reject(self, offset: int) -> Debt:
        """A person has what is held up to `offset` stay as it is, until something newer is wanted."""
        return self.model_copy(update={"rejected": max(self.rejected, offset)})

    def preview(self, offset: int) -> Debt:
        """It was said what would be done for work up to `offset`."""
        return self.model_copy(update={"previewed": max(self.previewed, offset)})

    def release(self, offset: int) -> Debt:
        """A person has work up to `offset` done in preview too; what is wanted beyond it goes on waiting."""
        return self.model_copy(update={"released": max(self.released, offset)})
