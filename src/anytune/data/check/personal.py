"""Personal data in text: addresses, telephone, card and account numbers, identity numbers. Validated by libraries, not by looks alone.

Names, postal addresses, birthdays, numbers of passports and of customers are not found: without their context they look like anything else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from anytune.data.check.nobody import CARDS, FICTION, IBANS, LOCAL_PARTS, MANUAL, OWNED, RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from re import Match, Pattern

__all__ = ["Personal"]

_EMAIL = re.compile(
    r"([A-Za-z0-9](?<![\w.+-].)[\w.+-]{0,63})@((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+)([A-Za-z]{2,24})(?![\w@-])"
)
_ENDINGS = frozenset({
    "com", "net", "org", "edu", "gov", "mil", "int", "info", "biz", "name", "pro", "dev", "app", "online", "site", "tech", "cloud",
    "shop", "store", "blog", "email", "mail", "live", "world", "agency", "studio", "academy", "company", "global", "group", "health",
    "law", "media", "news", "digital", "design", "consulting", "solutions", "systems", "services", "support", "team", "xyz",
})  # fmt: skip
"""Endings of more than two letters that addresses of people have; two letters are a country."""

_NO_COUNTRY = frozenset({"js", "ts", "hs", "cs", "vb", "rb", "xx", "zz"})
# A pattern that begins with a lookbehind is tried at every character; with the first character before it, only where that stands.
_PHONE_ABROAD = re.compile(r"[+\uff0b](?<![\w+].)\d[\d\s().\u2010-\u2015/-]{6,18}\d")
_PHONE_US = re.compile(r"[(\d](?<![\w.+/-].)(?:(?<=\()\d{3}\) ?|(?<=\d)\d\d[-.])\d{3}[-.]\d{4}(?![\w-])")
_PHONE_JP = re.compile(r"(?:電話|携帯|TEL|Tel|tel|☎|連絡先)[^\d\n]{0,12}(0\d{1,4}-\d{1,4}-\d{3,4})(?!\d)")

_CARD = re.compile(r"\d(?<![\w.+-].)(?:\d{3}([ -])\d{4}\1\d{4}\1\d{4}|(?<=3)\d{3}([ -])\d{6}\2\d{4,5}|\d{13,15})(?![\w-]|\.\d)")
_CARD_BEGINS = re.compile(
    r"4\d{15}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|6(?:011|4[4-9]\d|5\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|62\d{14}"
)
"""Visa, Mastercard, American Express, Discover, JCB, Diners Club, UnionPay: first digits and lengths (ISO/IEC 7812 issuer numbers)."""

_IBAN = re.compile(r"[A-Z](?<![A-Za-z0-9].)[A-Z]\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?)(?![A-Za-z0-9])")
_CALLED = re.compile(r"\b(?:call|phone|tel|telephone|mobile|cell|reach|number)\b[^.!?\n]{0,25}$", re.IGNORECASE)
_BEFORE = 60
_FEW_DIGITS = 3
_FEW_CARD_DIGITS = 1


class _Identity(NamedTuple):
    """An identity number.

    Attributes:
        kind: What it is called.
        written: How it is written.
        module: The module of python-stdnum that validates it.
        near: One of these must stand in the same text, where the number alone says too little.
    """

    kind: str
    written: Pattern[str]
    module: str
    near: tuple[str, ...] = ()


_IDENTITIES = (
    _Identity("US social security number", re.compile(r"\d(?<![\w-].)\d\d-\d\d-\d{4}(?![\w-])"), "us.ssn"),
    _Identity("Brazilian CPF", re.compile(r"\d(?<![\w.-].)\d\d\.\d{3}\.\d{3}-\d\d(?![\w-])"), "br.cpf"),
    _Identity("Italian codice fiscale", re.compile(r"[A-Z](?<!\w.)[A-Z]{5}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z](?!\w)"), "it.codicefiscale"),
    _Identity("Chinese identity number", re.compile(r"[1-8](?<!\w.)\d{5}(?:19|20)\d{9}[\dX](?!\w)"), "cn.ric"),
    _Identity("Korean registration number", re.compile(r"\d(?<![\w-].)\d{5}-[1-8]\d{6}(?![\w-])"), "kr.rrn"),
    _Identity("Spanish DNI or NIE", re.compile(r"(?<!\w)(?:\d{8}|[XYZ]\d{7})-?[A-Z](?!\w)"), "es.nif", ("DNI", "NIE", "NIF", "identidad")),
    _Identity(
        "French social security number",
        re.compile(r"(?<!\w)[12] ?\d\d ?\d\d ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d(?!\w)"),
        "fr.nir",
        ("écurité sociale", "écurité Sociale", "ecurite sociale", "NIR", "INSEE"),
    ),
    _Identity(
        "German tax number", re.compile(r"(?<!\w)\d\d ?\d{3} ?\d{3} ?\d{3}(?!\w)"), "de.idnr", ("Steuer", "IdNr", "Identifikationsnummer")
    ),
    _Identity("British NHS number", re.compile(r"(?<!\w)\d{3}[ -]?\d{3}[ -]?\d{4}(?!\w)"), "gb.nhs", ("NHS",)),
    _Identity(
        "Indian Aadhaar number",
        re.compile(r"(?<!\w)[2-9]\d{3} ?\d{4} ?\d{4}(?!\w)"),
        "in_.aadhaar",
        ("Aadhaar", "aadhaar", "AADHAAR", "आधार"),
    ),
    _Identity("Polish PESEL", re.compile(r"(?<!\w)\d{11}(?!\w)"), "pl.pesel", ("PESEL", "Pesel", "pesel")),
    _Identity("Dutch BSN", re.compile(r"(?<!\w)\d{9}(?!\w)"), "nl.bsn", ("BSN", "urgerservicenummer")),
)
_NUMBER = re.compile(r"\d[\d .()\-/]{5,}[\dX]|\d{5}[A-Z]|[A-Z]{6}\d\d|[A-Z]{2}\d\d")
"""Where this is nowhere in a text, no number that is looked for is."""


class Personal:
    """Finds personal data in texts.

    Example:
        >>> list(Personal().found("write to maria.keller" + "@" + "posteo.de"))
        [('e-mail address', '…@…(22 characters)')]
    """

    def __init__(self) -> None:
        """Load the validators."""
        from importlib import import_module  # noqa: PLC0415 - phonenumbers and stdnum take a tenth of a second together

        import phonenumbers  # noqa: PLC0415 - the same

        self._phones = phonenumbers

        def validator(module: str) -> Callable[[str], bool]:
            valid: Callable[[str], bool] = import_module(f"stdnum.{module}").is_valid
            return valid

        self._luhn, self._iban = validator("luhn"), validator("iban")
        self._identities = [(identity, validator(identity.module)) for identity in _IDENTITIES]

    def found(self, text: str) -> Iterator[tuple[str, str]]:
        """Give the kind and the masked shape of each piece of personal data in a text."""
        if "@" in text:
            yield from (("e-mail address", f"…@…({len(match[0])} characters)") for match in _EMAIL.finditer(text) if _somebody(match))
        if _NUMBER.search(text):
            for kind, numbers in (
                ("telephone number", self._telephones(text)),
                ("payment card number", self._cards(text)),
                ("bank account (IBAN)", self._accounts(text)),
            ):
                yield from ((kind, _masked(number)) for number in numbers)
            for identity, valid in self._identities:
                if not identity.near or any(word in text for word in identity.near):
                    numbers = (match[0] for match in identity.written.finditer(text))
                    yield from ((identity.kind, _masked(number)) for number in numbers if len(set(number)) > _FEW_DIGITS and valid(number))

    def _cards(self, text: str) -> Iterator[str]:
        for match in _CARD.finditer(text):
            digits = re.sub(r"\D", "", match[0])
            if (
                _CARD_BEGINS.fullmatch(digits)
                and (digits not in CARDS or _owned(match))
                and len(set(digits)) > _FEW_CARD_DIGITS
                and self._luhn(digits)
            ):
                yield digits

    def _accounts(self, text: str) -> Iterator[str]:
        for match in _IBAN.finditer(text):
            number = match[0].replace(" ", "")
            if (number not in IBANS or _owned(match)) and self._iban(number):
                yield number

    def _telephones(self, text: str) -> Iterator[str]:
        if "+" in text or "\uff0b" in text:
            yield from (match[0] for match in _PHONE_ABROAD.finditer(text) if self._answers(match[0], None))
        yield from (match[0] for match in _PHONE_US.finditer(text) if self._answers(match[0], "US") or _called(match))
        if not text.isascii():
            yield from (match[1] for match in _PHONE_JP.finditer(text) if self._answers(match[1], "JP"))

    def _answers(self, written: str, region: str | None) -> bool:
        """Tell whether a telephone could ring there."""
        if FICTION.search(written):
            return False
        matcher = self._phones.PhoneNumberMatcher(written, region, leniency=self._phones.Leniency.VALID)
        return any(True for _ in matcher)


def _called(match: Match[str]) -> bool:
    """Tell whether a number that rings nowhere is spoken of as a telephone's; those that are kept for stories never are."""
    return not FICTION.search(match[0]) and _CALLED.search(match.string[: match.start()][-_BEFORE:]) is not None


def _owned(match: Match[str]) -> bool:
    """Tell whether a number that manuals print is spoken of as somebody's."""
    return OWNED.search(match.string[: match.start()][-_BEFORE:]) is not None and not MANUAL.search(match.string)


def _somebody(match: Match[str]) -> bool:
    local, middle, ending = match[1].lower(), match[2], match[3].lower()
    if local in LOCAL_PARTS or local.split("+")[0] in LOCAL_PARTS or ".." in local:
        return False
    if ending not in _ENDINGS and (len(ending) != 2 or ending in _NO_COUNTRY):  # noqa: PLR2004 - a country's
        return False
    return not RESERVED.search(middle + ending)


def _masked(value: str) -> str:
    return f"…({sum(sign.isalnum() for sign in value)} digits)"
