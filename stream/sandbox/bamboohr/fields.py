"""The fields of an employee: ids, names, types, who may read them, and the other words that mean the same.

BambooHR names one thing in three ways; the alias of `/employees/{id}` is the key everywhere in this sandbox, and
`LIST_WORDS` translates those of `GET /employees`. A name that is here but that nobody has a value for is answered
empty; a name that is not here is unknown to the company.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Group = Literal["name", "contact", "job", "compensation", "demographic", "protected", "custom_fields", "none"]
"""What a finer OAuth scope opens: `employee:{group}`. `none`: open to every reader."""


@dataclass(frozen=True)
class Field:
    """One field. `id` may be dotted or negative; `choices`: its values are options of the list of this name.

    table: the history table that dates its changes. derived: computed, cannot be written.
    """

    id: str
    alias: str | None
    name: str
    type: str = "text"
    group: Group = "none"
    table: str | None = None
    choices: bool = False
    derived: bool = False
    deprecated: bool = False
    monitored: bool = False

    @property
    def key(self) -> str:
        return self.alias or self.id

    @property
    def custom(self) -> bool:
        return self.group == "custom_fields"


def words(table: str) -> tuple[str, ...]:
    """The names in a table that is written as text, which reads better than a hundred quotes."""
    return tuple(table.split())


def _field(field_id: str, alias: str | None, name: str, kind: str, group: Group, marks: str = "") -> Field:
    """marks: m monitored, c choices, d derived, x deprecated, j job information, e employment status."""
    return Field(
        field_id,
        alias,
        name,
        kind,
        group,
        table="jobInfo" if "j" in marks else "employmentStatus" if "e" in marks else None,
        choices="c" in marks,
        derived="d" in marks,
        deprecated="x" in marks,
        monitored="m" in marks,
    )


_MAIN = (
    _field("1", "firstName", "First Name", "text", "name", "m"),
    _field("2", "lastName", "Last Name", "text", "name", "m"),
    _field("5", "middleName", "Middle Name", "text", "name", "m"),
    _field("1358", "preferredName", "Preferred Name", "text", "name", "m"),
    _field("-3", "displayName", "Display Name", "text", "name", "d"),
    _field("14", "employeeNumber", "Employee #", "employee_number", "job", "m"),
    _field("387", "status", "Status", "status", "job", "m"),
    _field("387", "employmentStatus", "Status", "status", "job", "xd"),
    _field("3", "hireDate", "Hire Date", "date", "job", "m"),
    _field("4314", "originalHireDate", "Original Hire Date", "date", "job", "m"),
    _field("16", "employmentHistoryStatus", "Employment Status", "list", "job", "mce"),
    _field("16.1", "employeeStatusDate", "Employment Status: Date", "date", "job", "mde"),
    _field("16.2", "employmentStatusComment", "Employment Status: Comment", "text", "job", "e"),
    _field("4313", "terminationDate", "Termination Date", "date", "job", "e"),
    _field("4", "department", "Department", "list", "job", "mcj"),
    _field("17", "jobTitle", "Job Title", "list", "job", "mcj"),
    _field("18", "location", "Location", "list", "job", "mcj"),
    _field("1355", "division", "Division", "list", "job", "mcj"),
    _field("91", "reportsTo", "Reporting To", "employee", "job", "mdj"),
    _field("-91", "supervisor", "Supervisor name", "employee", "job", "d"),
    _field("4516", "supervisorId", "Supervisor ID", "employee", "job", "j"),
    _field("-92", "supervisorEId", "Supervisor EID", "employee", "job", "d"),
    _field("4047", "jobInformationEffectiveDate", "Job Information: Date", "date", "job", "dj"),
    _field("7", "workEmail", "Work Email", "email", "contact", "m"),
    _field("1360", "homeEmail", "Home Email", "email", "contact", "m"),
    _field("-4", "bestEmail", "Best Email", "email", "contact", "d"),
    _field("6", "workPhone", "Work Phone", "phone", "contact", "m"),
    _field("15", "workPhoneExtension", "Work Ext.", "text", "contact", "m"),
    _field("8", "mobilePhone", "Mobile Phone", "phone", "contact", "m"),
    _field("12", "homePhone", "Home Phone", "phone", "contact", "m"),
    _field("9", "address1", "Address Line 1", "text", "contact", "m"),
    _field("10", "address2", "Address Line 2", "text", "contact", "m"),
    _field("11", "city", "City", "text", "contact", "m"),
    _field("13", "state", "State", "state", "contact", "m"),
    _field("19", "zipcode", "Zip", "text", "contact", "m"),
    _field("20", "country", "Country", "country", "contact", "m"),
    _field("21", "dateOfBirth", "Birth Date", "date", "demographic"),
    _field("22", "gender", "Gender", "gender", "demographic"),
    _field("23", "maritalStatus", "Marital Status", "marital_status", "demographic"),
    _field("24", "ssn", "SSN", "ssn", "protected"),
    _field("25", "payRate", "Pay rate", "currency", "compensation"),
    _field("26", "payType", "Pay type", "pay_type", "compensation"),
    _field("27", "paidPer", "Paid per", "paid_per", "compensation"),
    _field("-10", "lastChanged", "Last changed", "timestamp", "none", "d"),
    _field("4101", "customCostCenter", "Cost Center", "text", "custom_fields", "m"),
    _field("4102", "customWorkMode", "Work Mode", "list", "custom_fields", "mc"),
    _field("4103", None, "Badge Number", "text", "custom_fields", "m"),
)

_DERIVED = words(
    """fullName1 fullName5 firstNameLastName firstNameMiddleInitial preferredNameLastName employeeName nickName
middleInitial photoUrl photoUploaded canUploadPhoto isManager age tenure userId teams departmentId divisionId
locationId jobTitleId employmentStatusId employmentStatusEffectiveDate"""
)

_SELDOM: Mapping[Group, str] = {
    "contact": "skypeUsername linkedinUrl facebookUrl instagramUrl twitterUrl pinterestUrl",
    "job": """contractEndDate eligibleForRehire eligibleForRehireId employmentType employmentTypeId finalPayDate
noticePeriod noticePeriodId probationEndDate terminationReason terminationReasonId terminationRegrettable
terminationRegrettableId terminationType terminationTypeId eeoJobCategory eeoJobCategoryId taxTypeId""",
    "compensation": """compensationChangeReason compensationChangeReasonId compensationComment exempt
compensationEffectiveDate compensationEndDate flsaCode flsaCodeId hoursPerPayCycle overtime overtimeRate paySchedule
payScheduleId""",
    "demographic": """allergies birthplace citizenship citizenshipId countryId dietaryRestrictions ethnicity ethnicityId
finalDoseAdministrationDate genderIdentity genderIdentityId jacketSize jacketSizeId nationality nationalityId
proofOfVaccination pronouns pronounsId secondaryLanguage shirtSize shirtSizeId stateId tShirtSize tShirtSizeId
vaccinationStatus vaccinationStatusId vaccineReceived vaccineReceivedId veteranStatus veteranStatusId""",
    "protected": "ein nationalId nationalInsuranceCategory nationalInsuranceCategoryId nin sin",
}
"""Fields that companies have and this one has left empty."""


def _title(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z0-9])", " ", name[0].upper() + name[1:])


def _rest() -> Iterator[Field]:
    for number, name in enumerate(_DERIVED):
        yield Field(str(-100 - number), name, _title(name), group="none", derived=True)
    number = 2000
    for group, names in _SELDOM.items():
        for name in words(names):
            number += 1
            kind = "date" if name.endswith("Date") else "int" if name.endswith("Id") else "text"
            yield Field(str(number), name, _title(name), kind, group)


FIELDS: tuple[Field, ...] = (*_MAIN, *_rest())
"""In the order of `/meta/fields`; id 387 is there twice, the second time deprecated."""

BY_KEY: Mapping[str, Field] = {field.key: field for field in FIELDS}

_BY_ID: Mapping[str, Field] = {field.id: field for field in reversed(FIELDS)}

_OTHER_WORDS: Mapping[str, str] = {
    "jobTitleName": "jobTitle",
    "birthDate": "dateOfBirth",
    "marital": "maritalStatus",
    "payPeriod": "paidPer",
    "payPer": "paidPer",
    "reportsToName": "reportsTo",
    "reportsToId": "supervisorId",
    "reportingTo": "reportsTo",
    "linkedIn": "linkedinUrl",
}

LIST_WORDS: Mapping[str, str] = {
    "employeeId": "id",
    "addressLine1": "address1",
    "addressLine2": "address2",
    "departmentName": "department",
    "divisionName": "division",
    "locationName": "location",
    "jobTitleName": "jobTitle",
    "employmentStatusName": "employmentHistoryStatus",
    "reportsToName": "reportsTo",
    "reportsToId": "supervisorId",
    "birthDate": "dateOfBirth",
}
"""Words of `GET /employees` whose key is another one."""


def find(reference: str) -> Field | None:
    """The field that `/employees/{id}`, a webhook or a write means by a name, an id or a custom alias."""
    return BY_KEY.get(_OTHER_WORDS.get(reference, reference)) or _BY_ID.get(reference)


RECORD_WORDS: tuple[str, ...] = words(
    """firstName lastName preferredName middleName photoUrl jobTitleName jobTitleId status workEmail homeEmail
bestEmail workPhone workPhoneExtension mobilePhone homePhone skypeUsername linkedinUrl facebookUrl instagramUrl
twitterUrl pinterestUrl birthDate hireDate originalHireDate terminationDate address1 city state country gender
marital payRate payType payPeriod exempt canUploadPhoto division divisionId department departmentId location
locationId employmentStatus employmentStatusId reportsToName reportsToId"""
)
"""What the answer to a write carries beside `id`."""

DIRECTORY_WORDS: tuple[str, ...] = words(
    """displayName firstName lastName preferredName jobTitle workPhone workPhoneExtension mobilePhone workEmail
department location division linkedIn pronouns supervisor photoUploaded photoUrl canUploadPhoto"""
)
"""The columns of the directory, fixed by the company's settings."""
