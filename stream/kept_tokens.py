"""Where the tokens of a connection are kept: sealed, on the topic `tokens`, one record for each vendor. What the record
holds descends from the refresh token that the connection was given, and says which one that was: a connection that is
added again with another one begins anew, with the same one it goes on, even where the vendor has replaced it since. A
client that has changed is tried at once: its access token is not waited out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from stream.records import Api, ConnectionId, Sealed, Tokens
from stream.telemetry import Masked, log
from stream.tokens import HeldTokens
from stream.vault.places import OF_TOKENS, keys_of
from stream.vault.vault import Vault

logger = log("tokens")


class KeptTokens:
    """Of one connection at one vendor. held: what was saved last, None while nothing was."""

    def __init__(
        self,
        connection: ConnectionId,
        api: Api,
        given: Masked,
        client: Masked,
        *,
        vault: Vault,
        append: Callable[[Tokens], Awaitable[object]],
        saved: Tokens | None,
    ) -> None:
        """given: the refresh token in the connection's settings. client: theirs, too, as `Issuer.client`. append:
        returns once the brokers have the record. saved: the newest record, whatever it descends from. Raises
        VaultLocked when a key is missing.
        """
        self.connection = connection
        self.given = given
        self._client = client
        self._api = api
        self._vault = vault
        self._append = append
        self.held = None if saved is None or self._is_lost(saved) else self._descending(saved)

    def of_client(self, client: Masked) -> None:
        """The connection's settings name this client from now on."""
        if client.reveal != self._client.reveal:
            self._client = client
            self.held = None if self.held is None else replace(self.held, access_token=None)

    async def save(self, held: HeldTokens) -> None:
        """Raises LogUnavailable."""
        await self._append(
            Tokens(
                connection=self.connection,
                api=self._api,
                access_token=self._seal(held.access_token, "access_token"),
                expires_at=held.expires_at,
                requested_at=held.requested_at,
                refresh_token=self._seal(held.refresh_token, "refresh_token"),
                given=self._seal(self.given, "given"),
                client=self._seal(self._client, "client"),
                asking=held.asking,
            )
        )
        self.held = held

    def _is_lost(self, saved: Tokens) -> bool:
        """Whether it was given up with the key that sealed it. One whose key is only missing must not be replaced."""
        lost = bool(keys_of(saved) & self._vault.lost_ids)
        if lost:
            logger.warning("tokens.lost_with_their_key", connection=self.connection, api=self._api)
        return lost

    def _descending(self, saved: Tokens) -> HeldTokens | None:
        given = self._open(saved.given, "given")
        if given is not None and given.reveal != self.given.reveal:
            return None
        client = self._open(saved.client, "client")
        is_theirs = client is None or client.reveal == self._client.reveal
        return HeldTokens(
            self._open(saved.access_token, "access_token") if is_theirs else None,
            saved.expires_at,
            saved.requested_at,
            self._open(saved.refresh_token, "refresh_token"),
            saved.asking,
        )

    def _open(self, sealed: Sealed | None, place: str) -> Masked | None:
        purpose = OF_TOKENS[self._api, place]
        return None if sealed is None else self._vault.open(sealed, connection=self.connection, purpose=purpose)

    def _seal(self, secret: Masked | None, place: str) -> Sealed | None:
        purpose = OF_TOKENS[self._api, place]
        return None if secret is None else self._vault.seal(secret, connection=self.connection, purpose=purpose)
