"""A strict stand-in for BambooHR: see `BambooHrSandbox`. What is named here is what the rest of the product may use."""

from stream.sandbox.bamboohr.accounts import User
from stream.sandbox.bamboohr.company import Company
from stream.sandbox.bamboohr.delivery import Attempt, Disorder
from stream.sandbox.bamboohr.notices import Notice
from stream.sandbox.bamboohr.quirks import BambooHrQuirks
from stream.sandbox.bamboohr.sandbox import BambooHrSandbox
from stream.sandbox.bamboohr.serve import serve
from stream.sandbox.bamboohr.throttle import RateLimit

__all__ = [
    "Attempt",
    "BambooHrQuirks",
    "BambooHrSandbox",
    "Company",
    "Disorder",
    "Notice",
    "RateLimit",
    "User",
    "serve",
]
