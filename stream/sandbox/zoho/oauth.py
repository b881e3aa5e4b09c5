"""The stand-in for Zoho Accounts: consent, tokens, revocation and the list of data centres.

Consent is given at once, since nobody sits before the sandbox. Refusals come with HTTP 200 and an `error`, as seen
live.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from aiohttp import web
from yarl import URL

from stream.sandbox.zoho.quirks import ZohoQuirks
from stream.sandbox.zoho.refusals import answer
from stream.sandbox.zoho.tokens import ACCESS_TOKEN_S, Credentials, Issued, OAuthRefused, Throttled, TokenStore


class AccountsServer:
    """The OAuth endpoints for one client, in one data centre."""

    def __init__(self, tokens: TokenStore, credentials: Credentials, *, quirks: ZohoQuirks, location: str) -> None:
        self._tokens = tokens
        self._credentials = credentials
        self._quirks = quirks
        self._location = location

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/oauth/v2/auth", self._authorize, name="oauth.authorize"),
            web.post("/oauth/v2/token", self._token, name="oauth.token"),
            web.post("/oauth/v2/revoke/token", self._revoke, name="oauth.revoke"),
            web.post("/oauth/v2/token/revoke", self._revoke, name="oauth.revoke_older_path"),
            web.get("/oauth/serverinfo", self._server_info, name="oauth.serverinfo"),
        ]

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = request.query
        try:
            code = self._consent(asked)
        except OAuthRefused as refused:
            return answer({"error": refused.error})
        back = URL(asked["redirect_uri"]).update_query(
            {"code": code, "location": self._location, "accounts-server": _origin(request)}
        )
        if "state" in asked:
            back = back.update_query({"state": asked["state"]})
        return web.Response(status=302, headers={"Location": str(back)})

    def _consent(self, asked: Mapping[str, str]) -> str:
        if asked.get("client_id") != self._credentials.client_id:
            raise OAuthRefused("invalid_client")
        if asked.get("response_type") != "code":
            raise OAuthRefused("invalid_response_type")
        target = urlsplit(asked.get("redirect_uri", ""))
        if target.scheme not in ("http", "https") or not target.netloc:
            raise OAuthRefused("invalid_redirect_uri")
        scopes = tuple(scope.strip() for scope in asked.get("scope", "").split(",") if scope.strip())
        if not scopes or not all(scope.startswith("ZohoBooks.") for scope in scopes):
            raise OAuthRefused("invalid_scope")
        return self._tokens.authorize(
            scopes,
            asked["redirect_uri"],
            offline=asked.get("access_type") == "offline",
            consent=asked.get("prompt") == "consent",
        )

    async def _token(self, request: web.Request) -> web.Response:
        asked = await _parameters(request)
        try:
            issued = self._issue(asked)
        except Throttled as refused:
            text = "You have made too many requests continuously. Please try again after some time."
            return answer(
                {"error_description": text, "error": refused.error, "status": "failure"},
                status=self._quirks.token_throttle_status,
            )
        except OAuthRefused as refused:
            return answer({"error": refused.error})
        body: dict[str, object] = {
            "access_token": issued.access_token,
            "scope": " ".join(issued.scopes),
            "api_domain": _origin(request),
            "token_type": "Bearer",
            "expires_in": ACCESS_TOKEN_S,
        }
        if issued.refresh_token is not None:
            body["refresh_token"] = issued.refresh_token
        return answer(body)

    def _issue(self, asked: Mapping[str, str]) -> Issued:
        if asked.get("client_id") != self._credentials.client_id:
            raise OAuthRefused("invalid_client")
        if asked.get("client_secret") != self._credentials.client_secret:
            raise OAuthRefused("invalid_client_secret")
        match asked.get("grant_type"):
            case "authorization_code":
                return self._tokens.exchange(asked.get("code", ""), asked.get("redirect_uri", ""))
            case "refresh_token":
                return self._tokens.refresh(asked.get("refresh_token", ""))
            case _:
                raise OAuthRefused("unsupported_grant_type")

    async def _revoke(self, request: web.Request) -> web.Response:
        asked = await _parameters(request)
        try:
            self._tokens.revoke(asked.get("token", ""))
        except OAuthRefused as refused:
            return answer({"error": refused.error})
        return answer({"status": "success"})

    async def _server_info(self, request: web.Request) -> web.Response:
        return answer({"result": "success", "locations": {self._location: _origin(request)}})


def _origin(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"


async def _parameters(request: web.Request) -> dict[str, str]:
    """Zoho takes the parameters of a token request from the query and from the form."""
    form = await request.post()
    return {**request.query, **{name: value for name, value in form.items() if isinstance(value, str)}}
