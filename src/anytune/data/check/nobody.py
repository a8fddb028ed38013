"""What texts write in place of somebody's data: addresses of functions, reserved domains, numbers of manuals and of payment services."""

from __future__ import annotations

import re

__all__ = ["CARDS", "FICTION", "IBANS", "LOCAL_PARTS", "MANUAL", "OWNED", "RESERVED"]

LOCAL_PARTS = frozenset({
    "abuse", "admin", "administrator", "billing", "bounce", "careers", "contact", "customerservice", "donotreply", "enquiries",
    "feedback", "foo", "git", "hello", "help", "hostmaster", "hr", "info", "jobs", "legal", "mail", "mailer-daemon", "marketing", "me",
    "name", "newsletter", "no-reply", "noreply", "notifications", "office", "orders", "postmaster", "press", "privacy", "root", "sales",
    "security", "service", "someone", "subscribe", "support", "team", "test", "unsubscribe", "user", "username", "webmaster", "you",
    "your", "your.email", "your.name", "youremail", "yourname",
})  # fmt: skip
"""What stands before the @ where it is a function or a stand-in, not a person."""

RESERVED = re.compile(
    r"(?:^|\.)(?:example|invalid|test|localhost|local|internal|lan)\.?$|(?:^|\.)example\.[a-z.]+$"
    r"|(?:^|\.)(?:(?:your|my)?(?:domain|company)|acme|email|foo|bar|abc|xyz|site|website|server|host|sample|placeholder)\.com$",
    re.IGNORECASE,
)
"""Domains that belong to nobody (RFC 2606, RFC 6761), and what texts write in their place."""

FICTION = re.compile(r"\D?555\D?01\d\d$")
"""Telephone numbers that are kept for stories: 555-0100 to 555-0199 (North American Numbering Plan)."""

CARDS = frozenset({
    "4111111111111111", "4242424242424242", "4012888888881881", "4000056655665556", "4000000000000002", "4000002500003155",
    "4000000000009995", "4917610000000000", "5555555555554444", "5105105105105100", "2223003122003222", "5200828282828210",
    "5454545454545454", "2223000048400011", "378282246310005", "371449635398431", "378734493671000", "6011111111111117",
    "6011000990139424", "6011000000000004", "3530111333300000", "3566002020360505", "30569309025904", "38520000023237",
    "36227206271667", "6200000000000005",
})  # fmt: skip
"""Card numbers that payment services publish for tests."""

IBANS = frozenset({
    "DE89370400440532013000", "GB29NWBK60161331926819", "GB82WEST12345698765432", "GB33BUKB20201555555555",
    "FR1420041010050500013M02606", "FR7630006000011234567890189", "ES9121000418450200051332", "IT60X0542811101000000123456",
    "NL91ABNA0417164300", "CH9300762011623852957", "AT611904300234573201", "BE68539007547034", "BE71096123456769",
    "DE75512108001245126199", "DE02120300000000202051",
})  # fmt: skip
"""Accounts that manuals print: the IBAN registry's own examples and the most copied ones."""

OWNED = re.compile(
    r"\b(?:my|our|his|her|their|pay|charge|charged|transfer|customer(?:'s)?)\b[^.!?\n]{0,40}$|\b(?:card|iban|account|amex|visa)\b[^.!?\n]{0,10}$",
    re.IGNORECASE,
)
"""Words before a published number that speak of it as somebody's: an anonymised row, or a row whose writer did not know the number."""

MANUAL = re.compile(r"\b(?:test|tests|testing|sandbox|manual|example|sample|dummy|demo|mock|fake|placeholder)\b", re.IGNORECASE)
"""Words of texts that mean a published number to be one."""
