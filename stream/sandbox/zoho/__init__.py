"""A strict stand-in for Zoho Accounts and Zoho Books, for the demo, the tests and a user's first hour.

Start one with `ZohoSandbox`; choose how the unknowns behave with `ZohoQuirks`, how much may be called with `Limits`.
"""

from stream.sandbox.zoho.app import ZohoSandbox
from stream.sandbox.zoho.custom_fields import CustomField
from stream.sandbox.zoho.limits import Limits
from stream.sandbox.zoho.quirks import ZohoQuirks
from stream.sandbox.zoho.tokens import Credentials

__all__ = ["ZohoSandbox", "ZohoQuirks", "Limits", "CustomField", "Credentials"]
