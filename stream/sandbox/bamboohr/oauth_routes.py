"""`/authorize.php` and `/token.php`. The admin agrees to everything at once: a browser is sent straight back."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import web
from yarl import URL

from stream.sandbox.bamboohr.desk import Desk
from stream.sandbox.bamboohr.refusals import refused_oauth

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def routes(desk: Desk, prefix: str) -> list[web.RouteDef]:
    accounts = desk.accounts

    async def authorize(request: web.Request) -> web.Response:
        asked = request.query
        redirect_uri = asked.get("redirect_uri", "")
        if asked.get("request") != "authorize":
            raise refused_oauth(400, "invalid_request", "request=authorize must be given")
        if asked.get("client_id") != accounts.app.client_id:
            raise refused_oauth(400, "invalid_client", "Unknown client_id")
        if redirect_uri not in accounts.app.redirect_uris or not _secure(desk, redirect_uri):
            raise refused_oauth(400, "invalid_request", "redirect_uri is not a registered https address")
        scopes = frozenset(asked.get("scope", "").split())
        told = {"state": asked["state"]} if "state" in asked else {}
        if asked.get("response_type") != "code":
            told["error"] = "unsupported_response_type"
        elif not scopes or not scopes <= accounts.app.scopes:
            told["error"] = "invalid_scope"
        else:
            told["code"] = accounts.consent(scopes, redirect_uri)
        return web.Response(status=302, headers={"Location": str(URL(redirect_uri).update_query(told))})

    async def token(request: web.Request) -> web.Response:
        fields = await _fields(request)
        if request.query.get("request", fields.get("request")) != "token":
            raise refused_oauth(400, "invalid_request", "request=token must be given, in the query or the body")
        known = _text(fields, "client_id") == accounts.app.client_id
        right = hmac.compare_digest(_text(fields, "client_secret").encode(), accounts.app.client_secret.encode())
        if not known or not right:
            raise refused_oauth(401, "invalid_client", "Client authentication failed")
        match _text(fields, "grant_type"):
            case "authorization_code":
                answer = accounts.exchange(_text(fields, "code"), _text(fields, "redirect_uri"))
            case "refresh_token":
                answer = accounts.refresh(_text(fields, "refresh_token"))
            case _:
                raise refused_oauth(400, "unsupported_grant_type", "grant_type is not supported")
        shown = answer | {"companyDomain": desk.company.subdomain}
        return web.json_response(shown, headers={"Cache-Control": "no-store"})

    return [web.get(f"{prefix}/authorize.php", authorize), web.post(f"{prefix}/token.php", token)]


def _secure(desk: Desk, redirect_uri: str) -> bool:
    parts = urlsplit(redirect_uri)
    return parts.scheme == "https" or (
        desk.quirks.allow_http_redirects and parts.scheme == "http" and parts.hostname in _LOOPBACK
    )


async def _fields(request: web.Request) -> Mapping[str, Any]:
    """A JSON body or a form, whatever its Content-Type says it is."""
    if request.content_type != "application/json":
        return await request.post()
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise refused_oauth(400, "invalid_request", "The body is no JSON object")
    return body


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name, "")
    return value if isinstance(value, str) else ""
