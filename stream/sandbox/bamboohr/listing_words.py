"""The vocabulary of `GET /employees`: which names exist there, what can be filtered and sorted by, and how."""

from __future__ import annotations

from collections.abc import Mapping

from stream.sandbox.bamboohr.fields import BY_KEY, LIST_WORDS, Field, words

DEFAULT = ("employeeId", "firstName", "lastName", "preferredName", "photoUrl", "jobTitleName", "status")

OPTIONAL: frozenset[str] = frozenset(
    words(
        """addressLine1 addressLine2 age allergies bestEmail birthDate birthplace citizenship citizenshipId city
compensationChangeReason compensationChangeReasonId compensationComment compensationEffectiveDate
compensationEndDate contractEndDate country countryId departmentId departmentName dietaryRestrictions
displayName divisionId divisionName eeoJobCategory eeoJobCategoryId ein eligibleForRehire eligibleForRehireId
employeeName employeeNumber employmentStatusComment employmentStatusEffectiveDate employmentStatusId
employmentStatusName employmentType employmentTypeId ethnicity ethnicityId facebookUrl
finalDoseAdministrationDate finalPayDate firstNameLastName firstNameMiddleInitial flsaCode flsaCodeId gender
genderIdentity genderIdentityId hireDate homeEmail homePhone hoursPerPayCycle instagramUrl isManager jacketSize
jacketSizeId jobInformationEffectiveDate jobTitleId linkedinUrl locationId locationName maritalStatus
middleInitial middleName mobilePhone nationalId nationalInsuranceCategory nationalInsuranceCategoryId
nationality nationalityId nickName nin noticePeriod noticePeriodId originalHireDate overtime overtimeRate
paidPer payRate paySchedule payScheduleId payType pinterestUrl preferredNameLastName probationEndDate pronouns
pronounsId proofOfVaccination reportsToId reportsToName secondaryLanguage shirtSize shirtSizeId sin
skypeUsername ssn state stateId taxTypeId teams tenure terminationDate terminationReason terminationReasonId
terminationRegrettable terminationRegrettableId terminationType terminationTypeId tShirtSize tShirtSizeId
twitterUrl userId vaccinationStatus vaccinationStatusId vaccineReceived vaccineReceivedId veteranStatus
veteranStatusId workEmail workPhone workPhoneExtension zipcode"""
    )
)

SORTABLE = ("employeeId", "firstName", "lastName", "preferredName", "jobTitleName", "status")

FILTERABLE = (OPTIONAL | {"firstName", "lastName", "jobTitleName", "status", "ids"}) - frozenset(
    words(
        """bestEmail ein genderIdentity genderIdentityId nationalId nin overtime overtimeRate payRate sin ssn teams
userId veteranStatus veteranStatusId"""
    )
)

AMOUNTS = frozenset({"payRate", "overtimeRate"})
"""Stored as `56.00 USD`, shown as an object."""
ARRAYS = frozenset({"teams", "genderIdentityId", "veteranStatusId"})
"""Nobody here has any; shown empty, never null."""
FLAGS = frozenset({"isManager", "proofOfVaccination"})
NUMBERS = frozenset({"age", "tenure", "hoursPerPayCycle"})
CHOICES: Mapping[str, tuple[str, ...]] = {
    "status": ("active", "inactive"),
    "gender": ("Male", "Female", "Non-Binary"),
    "paidPer": ("Day", "Week", "Month", "Quarter", "Year", "PayPeriod", "Piece"),
    "payType": ("Hourly", "Salary", "Commission"),
}

_ID = Field("0", "id", "Employee ID", derived=True)


def field_of(word: str) -> Field:
    """The field behind a word of this vocabulary."""
    key = LIST_WORDS.get(word, word)
    return _ID if key == "id" else BY_KEY[key]
