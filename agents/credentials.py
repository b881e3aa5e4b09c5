"""What the clients of a worker's connections authenticate with: an API key, or access tokens kept on the log."""

from __future__ import annotations

from dataclasses import dataclass, field

import aiohttp

from agents.own_secrets import OwnSecrets
from stream.bamboohr.hosts import base_url
from stream.bamboohr.oauth import BambooHrAccounts
from stream.clock import Clock
from stream.http import Admit
from stream.issuer import Issuer
from stream.kept_tokens import KeptTokens
from stream.records import Api, Connection, ConnectionId, Sealed, Tokens
from stream.settings import Settings
from stream.telemetry import Masked
from stream.tokens import AccessTokens
from stream.vault.vault import Purpose
from stream.zoho.oauth import ZohoAccounts


@dataclass
class Credentials:
    """Of all connections. Every method but `forget` may raise VaultLocked."""

    settings: Settings
    own: OwnSecrets
    http: aiohttp.ClientSession
    clock: Clock
    _kept: dict[tuple[ConnectionId, str], KeptTokens] = field(default_factory=dict)
    """What was saved since the partition came: `tokens`, which is read later than it is written, may lag behind."""

    def forget(self, partition: int) -> None:
        """The partition came, and `tokens` has been read to its end since: what it holds counts."""
        for key in [key for key in self._kept if self.own.log.partition_of(key[0]) == partition]:
            del self._kept[key]

    def of_bamboohr(self, record: Connection, admit: Admit) -> Masked | AccessTokens:
        """admit: asked before each token request. Raises ConnectionMisset where the subdomain is none."""
        oauth = record.bamboohr.oauth
        if record.bamboohr.api_key is not None:
            return self._opened(record, record.bamboohr.api_key, "bamboohr.api_key")
        assert oauth is not None
        issuer = BambooHrAccounts(
            self._opened(record, oauth.client_id, "bamboohr.client_id"),
            self._opened(record, oauth.client_secret, "bamboohr.client_secret"),
            base_url(self.settings, record.bamboohr.subdomain),
        )
        given = self._opened(record, oauth.refresh_token, "bamboohr.refresh_token")
        return self._access_tokens(record, "bamboohr", issuer, given, admit)

    def of_zoho(self, record: Connection, admit: Admit) -> AccessTokens:
        """admit: asked before each token request."""
        issuer = ZohoAccounts(
            self._opened(record, record.zoho.client_id, "zoho.client_id"),
            self._opened(record, record.zoho.client_secret, "zoho.client_secret"),
            self.settings,
            record.zoho.region,
        )
        given = self._opened(record, record.zoho.refresh_token, "zoho.refresh_token")
        return self._access_tokens(record, "zoho", issuer, given, admit)

    def _opened(self, record: Connection, sealed: Sealed, purpose: Purpose) -> Masked:
        return self.own.vault.open(sealed, connection=record.connection, purpose=purpose)

    def _access_tokens(self, record: Connection, api: Api, issuer: Issuer, given: Masked, admit: Admit) -> AccessTokens:
        kept = self._kept.get((record.connection, api))
        if kept is None or kept.given.reveal != given.reveal:
            saved = self.own.tokens.records.get(f"{record.connection}|{api}")
            kept = self._kept[record.connection, api] = KeptTokens(
                record.connection,
                api,
                given,
                issuer.client,
                vault=self.own.vault,
                append=self.own.save,
                saved=saved if isinstance(saved, Tokens) else None,
            )
        kept.of_client(issuer.client)
        return AccessTokens(
            self.http,
            issuer,
            refresh_token=given,
            held=kept.held,
            save=kept.save,
            admit=admit,
            deadline=self.settings.call_deadline,
            clock=self.clock,
        )
