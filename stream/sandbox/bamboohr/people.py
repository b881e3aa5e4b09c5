"""Plausible people for a stand-in company: the same for the same seed, from many places, each with a work email."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from datetime import date, timedelta

from stream.sandbox.bamboohr.fields import words

_FIRST = words(
    """Ada Amara Anders André Anh Aoife Arjun Ayşe Beatriz Björn Camila Chidi Chloë Daniel Deepa Dmitri Eleni Emeka
Emma Fatima Françoise Gabriel Grace Hannah Hiroshi Ines Ivan James Jelena José Juan Kamala Karim Kofi Lars Laura Leila
Liam Łukasz Mai Małgorzata Marco María Mei Mohammed Nadia Ngozi Nikola Noah Olga Omar Paul Priya Rafael Renée Samuel
Sinéad Sofia Søren Tariq Thandiwe Tomáš Uma Wei Yara Yusuf Zoë Željka"""
)
_LAST = words(
    """Abebe Adeyemi Ahmed Almeida Andersson Banerjee Bauer Björklund Brown Castillo Çelik Chen Cohen Costa Dąbrowski
Demir Díaz Dubois Ferrari Fischer García Gomes Haddad Hansen Horváth Ibrahim Ito Jansen Johnson Khan Kim Kovačić
Kowalska Larsen Lefèvre Li Lindqvist Lopez Mbeki McCarthy Mehta Müller Mwangi Nakamura Nguyễn Novák Núñez
O'Brien Okafor Olsen Papadopoulos Patel Petrov Popescu Quispe Reyes Rossi Sato Schröder Silva Singh Smith Suzuki
Świątek Tanaka Torres Tran Ünal Vargas Vasquez Virtanen Wagner Walker Wang Weber Williams Wójcik Zhang"""
)
_OTHER_SCRIPTS = (
    ("花子", "山田", "hanako", "yamada"),
    ("伟", "王", "wei", "wang"),
    ("Олена", "Шевченко", "olena", "shevchenko"),
    ("محمد", "حداد", "mohammad", "haddad"),
    ("Ελένη", "Παπαδοπούλου", "eleni", "papadopoulou"),
    ("민준", "김", "minjun", "kim"),
)
_UNFOLDABLE = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ß": "ss", "'": None})

DEPARTMENTS = (
    "Engineering",
    "Finance",
    "Customer Success",
    "Human Resources",
    "Legal",
    "Marketing",
    "Operations",
    "Sales",
)
_TITLES = {
    "Engineering": ("Software Engineer", "Senior Software Engineer", "QA Analyst", "Engineering Manager"),
    "Finance": ("Accountant", "Financial Analyst", "Controller"),
    "Customer Success": ("Support Specialist", "Customer Success Manager"),
    "Human Resources": ("HR Generalist", "Recruiter"),
    "Legal": ("Counsel", "Paralegal"),
    "Marketing": ("Content Strategist", "Marketing Manager"),
    "Operations": ("Operations Analyst", "Logistics Coordinator", "Office Manager"),
    "Sales": ("Account Executive", "Sales Engineer", "Sales Manager"),
}
JOB_TITLES = tuple(sorted({title for titles in _TITLES.values() for title in titles}))
LOCATIONS = ("Cape Town", "Kraków", "Lindon, Utah", "London", "Remote", "São Paulo", "Tokyo")
DIVISIONS = ("Africa", "Asia-Pacific", "Europe", "North America", "South America")
EMPLOYMENT_STATUSES = ("Full-Time", "Part-Time", "Contractor", "Intern", "Furloughed", "Terminated")
WORK_MODES = ("Hybrid", "On site", "Remote")
_FIRST_DAY = date(2012, 1, 2)
_HIRING_DAYS = 5000


def invent(count: int, seed: int) -> Iterator[dict[str, str]]:
    """Field values of `count` people, list fields as option names. The n-th person's manager is among those before."""
    rng = random.Random(seed)  # noqa: S311 - people, not secrets
    taken: set[str] = set()
    for index in range(count):
        first, last, address = _name(rng)
        email = _unused(address, taken)
        department = rng.choice(DEPARTMENTS)
        hired = _FIRST_DAY + timedelta(days=rng.randrange(_HIRING_DAYS))
        yield {
            "firstName": first,
            "lastName": last,
            "middleName": rng.choice(_FIRST) if rng.random() < 0.1 else "",
            "preferredName": rng.choice(_FIRST) if rng.random() < 0.15 else "",
            "employeeNumber": str(index + 2 if index + 1 < count else 1 if count > 1 else 100),
            "workEmail": email,
            "homeEmail": f"{address}.{index}@home.example",
            "workPhone": f"+1 801 555 {rng.randrange(10_000):04d}",
            "mobilePhone": f"+1 385 555 {rng.randrange(10_000):04d}",
            "department": department,
            "jobTitle": rng.choice(_TITLES[department]),
            "location": rng.choice(LOCATIONS),
            "division": rng.choice(DIVISIONS),
            "employmentHistoryStatus": rng.choices(EMPLOYMENT_STATUSES[:3], weights=(8, 1, 1))[0],
            "hireDate": hired.isoformat(),
            "supervisorId": str(rng.randint(1, index)) if index else "",
            "customCostCenter": f"CC-{rng.randrange(100, 130)}",
            "customWorkMode": rng.choice(WORK_MODES),
        }


def _name(rng: random.Random) -> tuple[str, str, str]:
    """First name, last name, and how both are written in an address."""
    if rng.random() < 0.06:
        first, last, *spelt = rng.choice(_OTHER_SCRIPTS)
        return first, last, ".".join(spelt)
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    return first, last, f"{_fold(first)}.{_fold(last)}"


def _fold(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.lower().translate(_UNFOLDABLE))
    return "".join(letter for letter in plain if letter.isascii())


def _unused(address: str, taken: set[str]) -> str:
    email, number = f"{address}@acme.example", 1
    while email in taken:
        number += 1
        email = f"{address}{number}@acme.example"
    taken.add(email)
    return email
