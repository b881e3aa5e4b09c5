"""`connection add` holds the mapping of a new connection against both sandboxes before it is saved."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agents.cli.mapping_fit import fitting
from stream.connection_file import ConnectionFile, load_connection
from stream.errors import ConnectionFileError
from stream.sandbox.zoho.custom_fields import CustomField
from tests.contract.test_dialogue import CLOCK, Vendors, both

LINES = '\n[mapping.fields]\ncf_team = "department"\nphone = "noSuchField"\n'


@pytest.fixture
async def vendors() -> AsyncIterator[Vendors]:
    async with both() as found:
        yield found


def written(vendors: Vendors, folder: Path, lines: str, key: str | None = None) -> tuple[ConnectionFile, Path]:
    """The connection file of the two sandboxes. key: of BambooHR; None: signed in to by OAuth."""
    hr, books = vendors.bamboohr.credentials, vendors.zoho.credentials
    oauth = 'oauth = {{ client_id = "{0.client_id}", client_secret = "{0.client_secret}", refresh_token = "{1}" }}'
    way_in = oauth.format(hr, hr.refresh_token) if key is None else f'api_key = "{key}"'
    path = folder / "acme.toml"
    path.write_text(
        f'id = "acme"\nmode = "live"\n[bamboohr]\nsubdomain = "acme"\n{way_in}\n[zoho]\nregion = "eu"\n'
        f'organization_id = "{vendors.zoho.organization.organization_id}"\n'
        f"{oauth.format(books, books.refresh_token)}{lines}"
    )
    return load_connection(path), path


async def test_a_mapping_that_does_not_fit_is_refused_with_its_lines(vendors: Vendors, tmp_path: Path) -> None:
    file, path = written(vendors, tmp_path, LINES)
    with pytest.raises(ConnectionFileError) as refused:
        await fitting(file, path, None, vendors.settings, CLOCK)
    assert "cf_team: Zoho Books has no such custom field of contacts" in refused.value.message
    assert "(line 11)" in refused.value.message
    assert "phone: BambooHR has no field noSuchField" in refused.value.message
    assert "(line 12)" in refused.value.message


async def test_one_that_fits_is_taken_with_the_refresh_token_that_came_meanwhile(
    vendors: Vendors, tmp_path: Path
) -> None:
    vendors.zoho.organization.define_custom_field(CustomField("cf_team", "Team"))
    file, path = written(vendors, tmp_path, '\n[mapping.fields]\ncf_team = "department"\n')
    taken = await fitting(file, path, None, vendors.settings, CLOCK)
    assert taken.bamboohr.oauth is not None
    assert taken.bamboohr.oauth.refresh_token is not None
    assert file.bamboohr.oauth is not None
    assert file.bamboohr.oauth.refresh_token is not None
    assert taken.bamboohr.oauth.refresh_token.reveal != file.bamboohr.oauth.refresh_token.reveal
    again = await fitting(taken, path, None, vendors.settings, CLOCK)
    assert again.bamboohr.oauth is not None, "it is good for another try"


async def test_without_a_mapping_nobody_is_asked_and_wrong_credentials_are_no_reason_to_refuse(
    vendors: Vendors, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, path = written(vendors, tmp_path, "", key="wrong")
    assert await fitting(file, path, None, vendors.settings, CLOCK) == file
    assert capsys.readouterr().err == ""
    file, path = written(vendors, tmp_path, LINES, key="wrong")
    assert await fitting(file, path, None, vendors.settings, CLOCK) == file
    assert "Whether the mapping fits is not known yet: " in capsys.readouterr().err
