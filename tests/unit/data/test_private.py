"""Secrets and personal data: what is found, what is left alone, and that no finding says what it found.

Every value is invented and put together when the test runs: no key, address or number stands in this file.
"""

from __future__ import annotations

import base64
import json
import logging
import random
import string
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stdnum import iban, luhn

from anytune.data.check.private import Private
from anytune.data.check.secrets import shape
from anytune.data.rows import Text, texts

DATA = Path(__file__).parents[4] / "shared" / "data" / "snips"

CHANCE = random.Random(20261122)
ALPHA, HEX, LOWER = string.ascii_letters + string.digits, "0123456789abcdef", string.ascii_lowercase + string.digits


def some(length, signs=ALPHA):
    return "".join(CHANCE.choice(signs) for _ in range(length))


def token():
    head, body = ({"alg": "HS256", "typ": "JWT"}, {"sub": some(12), "name": "Ada", "iat": 1700000000})
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (head, body)]
    return ".".join([*parts, some(43)])


def pem(kind):
    return f"-----BEGIN {kind}PRIVATE " + "KEY-----\n" + some(64) + "\n" + some(64) + f"\n-----END {kind}PRIVATE KEY-----"


SECRETS = {
    "AWS key": "AKIA" + some(16, string.ascii_uppercase + string.digits),
    "AWS temporary key": "ASIA" + some(16, string.ascii_uppercase + string.digits),
    "AWS secret": "aws_secret_access_key = '" + some(40) + "'",
    "Azure storage": "AccountName=x;AccountKey=" + some(86) + "==",
    "Azure AI": some(52) + "JQQJ99" + some(26),
    "GitHub": "ghp_" + some(36),
    "GitHub app": "ghs_" + some(36),
    "GitHub fine-grained": "github_pat_" + some(22) + "_" + some(59),
    "GitLab": "glpat-" + some(20),
    "GitLab runner": "glrt-" + some(24),
    "Slack": "xoxb-" + some(12, string.digits) + "-" + some(12, string.digits) + "-" + some(24, LOWER),
    "Slack webhook": "https://hooks.slack.com/services/T" + some(8) + "/B" + some(8) + "/" + some(24),
    "Stripe": "sk_live_" + some(24),
    "Stripe restricted": "rk_live_" + some(24),
    "OpenAI": "sk-" + some(20) + "T3BlbkFJ" + some(20),
    "OpenAI project": "sk-proj-" + some(74) + "T3BlbkFJ" + some(74),
    "Anthropic": "sk-ant-api03-" + some(93) + "AA",
    "OpenRouter": "sk-or-v1-" + some(64, HEX),
    "DeepSeek": "sk-" + some(32, HEX),
    "Hugging Face": "hf_" + some(34, string.ascii_letters),
    "Google": "AIza" + some(35),
    "Google OAuth": "GOCSPX-" + some(28),
    "Groq": "gsk_" + some(52),
    "xAI": "xai-" + some(80),
    "NVIDIA": "nvapi-" + some(64),
    "Perplexity": "pplx-" + some(48),
    "Replicate": "r8_" + some(37),
    "Databricks": "dapi" + some(32, HEX),
    "DigitalOcean": "dop_v1_" + some(64, HEX),
    "npm": "npm_" + some(36),
    "npm settings": "//registry.npmjs.org/:_authToken=" + "-".join(some(n, HEX) for n in (8, 4, 4, 4, 12)),
    "PyPI": "pypi-AgEIcHlwaS5vcmc" + some(80),
    "SendGrid": "SG." + some(22) + "." + some(43),
    "Twilio": "SK" + some(32, HEX),
    "Telegram": some(9, "123456789") + ":AA" + some(33),
    "Discord": "M" + some(23) + "." + some(6) + "." + some(27),
    "Mailchimp": some(32, HEX) + "-us12",
    "Square": "sq0csp-" + some(43),
    "Shopify": "shpat_" + some(32, HEX),
    "Linear": "lin_api_" + some(40),
    "Postman": "PMAK-" + some(24, HEX) + "-" + some(34, HEX),
    "JSON Web Token": token(),
    "private key": pem("RSA "),
    "private key in one line": json.dumps(pem("")).strip('"'),
    "OpenSSH key": pem("OPENSSH "),
    "password in an address": "postgres://app:" + "kT9" + some(9) + "@db.firm.io:5432/shop",
}


def card(begin, length):
    body = begin + some(length - len(begin) - 1, string.digits)
    return body + luhn.calc_check_digit(body)


def account(country, body):
    return country + iban.calc_check_digits(f"{country}00{body}") + body


def grouped(number):
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


PERSONAL = {
    "e-mail": "maria.keller" + "@" + "posteo.de",
    "e-mail with a tag": "jon+lists" + "@" + "mail.firm.co.uk",
    "e-mail in brackets": "<a.b-c_d" + "@" + "uni-stadt.edu>",
    "e-mail at an end": "write to me at k.sato" + "@" + "nifty.ne.jp.",
    "British telephone": "+44 20 79" + "46 0958",
    "German telephone": "+49 (0)30 2312" + "5123",
    "French telephone": "+33 1 70 18" + " 99 00",
    "Japanese telephone": "+81-3-3210-" + "9876",
    "Japanese telephone at home": "電話 03-3210-" + "9876",
    "American telephone": "call (202) 456-" + "1414 now",
    "American telephone with dots": "202.456." + "1414",
    "Visa": card("4", 16),
    "Visa in groups": grouped(card("4", 16)),
    "Mastercard": card("53", 16),
    "American Express": card("37", 15),
    "JCB": card("3530", 16),
    "German account": account("DE", "100000000123456789"),
    "German account in groups": grouped(account("DE", "100000000123456789")),
    "British account": account("GB", "ABCD10203012345678"),
    "social security number": "my SSN is 536-" + "90-4399",
    "CPF": "CPF 390.533." + "447-05",
    "codice fiscale": "RCCMNL83" + "S18D969H",
    "Chinese identity number": "36042619910101" + "0071",
    "Spanish DNI": "DNI 5436" + "2315K",
    "German tax number": "Steuer-ID 36 574 " + "261 809",
    "French number": "n° de sécurité sociale 2 95 10 99 126 111 " + "93",
    "NHS number": "NHS number 943 " + "476 5870",
    "PESEL": "PESEL 44051" + "401458",
    "BSN": "BSN 1234" + "56782",
    "Aadhaar": "Aadhaar 2341 2341 " + "2346",
}

CLEAN = [
    "The meeting is on 2026-11-22 at 14:30 in room 1204.",
    "Order 4512367890123456 was shipped on 12/11/2025.",
    "Your reference is 2024-00012345-77.",
    "ISBN 978-3-16-148410-0, DOI 10.1000/182, arXiv:1706.03762v5",
    "Version 1.2.3.4, build 20261122.1530, commit 3f65e7d1c0a9b8e7d6c5b4a3928170615243f1e0",
    "sha256: 446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "id 123e4567-e89b-12d3-a456-426614174000",
    "Call 911 in an emergency, or 1-800-FLOWERS.",
    "Write to alice@example.com or bob@mail.example.org, or to root@localhost.",
    "support@firm.com and no-reply@firm.com answer nobody; info@firm.de neither.",
    "git clone git@github.com:owner/name.git",
    "Follow @maria_k and @anytune on the usual places.",
    "icon@2x.png, pkg@1.2.3, x = a@b.T, @property",
    "user@domain.com is what the manual shows.",
    "Call (555) 555-0123 or +1 212 555 0123: numbers of films.",
    "Pay with 4111 1111 1111 1111 or 4242424242424242 in the sandbox.",
    "IBAN DE89 3704 0044 0532 0130 00 is in every manual.",
    "GB82 WEST 1234 5698 7654 32",
    "000-12-3456, 666-12-3456 and 078-05-1120 are no social security numbers",
    "pi = 3.141592653589793238462643383279",
    "1234567890123456789012345678901234567890",
    "1700000000000, 1699999999, 20231105120000",
    "0123456789 times 9876543210 is 12193263111263526900",
    "Coordinates 48.858370, 2.294481; 52.520008, 13.404954",
    "10.0.0.1, 192.168.1.1, 8.8.8.8 and 2001:db8::1 are addresses of machines.",
    "+1 point for you, +12 for me; 5+7+12345678",
    "The fine is 1 000 000 000 yen, or 1.234.567,89 euro.",
    "Set OPENAI_API_KEY=sk-... and HF_TOKEN=hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.",
    "sk-" + "x" * 48,
    "sk-proj-" + "YOUR_API_KEY_GOES_HERE_AND_IT_IS_VERY_LONG_INDEED_1234",
    "ghp_" + "0123456789" * 3 + "abcdef",
    "ghp_<your token>, glpat-XXXXXXXXXXXXXXXXXXXX",
    "hf_hub_download downloads from the Hub; hf_transfer makes it quick",
    "sk-learn-contrib and sk-image are libraries",
    "api_key = os.environ['API_KEY']; password = getpass()",
    "postgres://user:password@localhost:5432/db",
    "postgresql://scott:tiger@localhost/test",
    "https://USER:PASSWORD@example.com/, https://{user}:{password}@host/, https://$USER:$PASS@host/",
    "mysql://root:root@127.0.0.1/x and amqp://guest:guest@rabbit",
    "http://localhost:8080/@me and https://a.example:443/users/@me",
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    "A file that begins with -----BEGIN RSA PRIVATE KEY----- is a key.",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo\n-----END PUBLIC KEY-----",
    'eyJ is how a JSON Web Token begins: {" in Base64. eyJhbGciOiJIUzI1NiJ9.x',
    "Bearer <token>, Authorization: Basic dXNlcjpwYXNz",
    "AccountKey=<key>;EndpointSuffix=core.windows.net",
    "SG.something.else, xoxb-your-token, pypi-server, npm_config_cache",
    "The gene BRCA1, the plane A320neo, the road B96, flight LH4711, room AB12",
    "DEADBEEFDEADBEEFDEADBEEFDEADBEEF and deadbeefdeadbeefdeadbeefdeadbeef",
    "日本の人口は約1億2400万人です。郵便番号は100-0001です。",
    "2025年11月22日 午後3時30分、第1234567890号",
    "Die Nummer 12345678901 steht im Lager, Regal 36574261809.",
    "Le colis 6A12345678901 arrive le 22/11/2026 à 15 h 30.",
    "El pedido 12345678Z llegó ayer.",
    "Ticket 123456789, case 987654321, parcel 1Z999AA10123456784",
    "ABCDEF12G34H567I and RSSMRA85T10A562X",
    "Das kostet 12,50 €. Tel. auf Anfrage.",
    "a = [4539578763621486.5, 0.5105105105105100]",
    "x" * 5000,
    "1" * 5000,
    "@" * 5000,
    "+" * 5000,
    "",
]


def found(text, **how):
    private = Private(**how)
    private.take(3, [Text(None, "system", "Be kind.", trained=False), Text(1, "user", text, trained=False)], "train")
    return list(private.findings())


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("around", ["{}", "The key is {}, keep it.", 'key="{}"', "({})\n"])
def test_a_secret_is_found_whatever_stands_around_it(name, around):
    (one, *more) = found(around.replace("{}", SECRETS[name]), personal=False)
    assert more == []
    assert (one.code, one.severity, one.row, one.message_index, one.file) == ("secret", "error", 3, 1, None)
    assert "Revoke" in one.fix


@pytest.mark.parametrize("name", PERSONAL)
def test_personal_data_is_found(name):
    (one, *more) = found(f"Hello, {PERSONAL[name]} ok", secrets=False)
    assert more == []
    assert (one.code, one.severity, one.row, one.message_index) == ("personal-data", "warning", 3, 1)


@pytest.mark.parametrize("text", CLEAN, ids=range(len(CLEAN)))
def test_clean_text_has_no_finding(text):
    assert [one.message for one in found(text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "aws_secret_access_key = '" + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" + "'",
        "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789",
    ],
)
def test_whole_keys_of_manuals_are_warned_of(text):
    (one,) = found(text)
    assert (one.code, one.severity) == ("secret", "warning")
    assert "perhaps the example of a manual" in one.message


@pytest.mark.parametrize("name", ["AZURE_OPENAI_API_KEY={}", 'password = "{}"', '{"db_password": "{}"}', "client_secret: {}"])
def test_a_made_up_value_of_a_secrets_name_is_found(name):
    (one,) = found(name.replace("{}", "Zx9qT4vB7mK2pL5w"), personal=False)
    assert (one.code, one.severity) == ("secret", "error")


@pytest.mark.parametrize("text", ["password = get_password_2024_x1()", "api_key = settings.api_key_v2", "secret: the_quick_brown_fox12"])
def test_a_secrets_name_beside_code_and_words_is_not(text):
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "My card is 4111 1111 1111 1111",
        "Pay to GB29NWBK60161331926819",
        "my IBAN: DE89 3704 0044 0532 0130 00",
        "Call me at 555-" + "123-4567",
    ],
)
def test_published_numbers_that_are_spoken_of_as_somebodys_are_found(text):
    assert [one.code for one in found(text, secrets=False)] == ["personal-data"]


@pytest.mark.skipif(not DATA.exists(), reason="the shared data is not there")
def test_real_rows_have_no_finding():
    private = Private()
    rows = 0
    for name in ("train", "test"):
        for number, line in enumerate((DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines(), 1):
            private.take(number, list(texts(json.loads(line))), name)
            rows += 1
    assert rows == 14_475
    assert list(private.findings()) == []


def test_no_finding_and_no_log_says_what_was_found(caplog, capfd):
    values = {**SECRETS, **PERSONAL}
    private = Private()
    with caplog.at_level(logging.DEBUG):
        for number, value in enumerate(values.values(), 1):
            private.take(number, [Text(0, "user", f"begin {value} end", trained=False)], "train")
        told = "".join(one.model_dump_json() + repr(one) + str(one) for one in private.findings())
    told += caplog.text + "".join(capfd.readouterr()) + repr(private)
    for value in values.values():
        for start in range(len(value) - 11):
            piece = value[start : start + 12]
            if any(sign.isdigit() for sign in piece) and "BEGIN" not in piece:
                assert piece not in told


def test_a_shape_shows_the_services_prefix_and_the_length():
    assert shape("sk-" + "proj-" + "a" * 40) == "sk-proj-…(48 characters)"
    assert shape("a" * 40) == "…(40 characters)"
    (one,) = found("ghp_" + some(36))
    assert one.message == "GitHub token in the user message: ghp_…(40 characters)."


def test_a_row_has_one_finding_of_a_kind():
    mails = " ".join(f"{name}" + "@" + "posteo.de" for name in ("ada", "bob", "carl"))
    assert len(found(mails + " " + SECRETS["GitHub"] + " " + SECRETS["GitHub app"])) == 2


def test_kinds_of_a_row_are_told_apart():
    assert {one.code for one in found(SECRETS["Slack"] + " " + PERSONAL["e-mail"])} == {"secret", "personal-data"}


def test_each_half_can_be_left_out():
    both = SECRETS["Slack"] + " " + PERSONAL["e-mail"]
    assert [one.code for one in found(both, secrets=False)] == ["personal-data"]
    assert [one.code for one in found(both, personal=False)] == ["secret"]
    assert found(both, secrets=False, personal=False) == []


def test_tool_calls_and_definitions_are_read():
    talk = {
        "messages": [
            {"role": "user", "content": "x"},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"key": SECRETS["Hugging Face"]})}}
                ],
            },
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "ask " + PERSONAL["e-mail"]}}],
    }
    private = Private()
    private.take(1, list(texts(talk)), "train")
    assert {(one.code, one.message_index) for one in private.findings()} == {("secret", 1), ("personal-data", None)}


def test_rows_of_both_files_say_which_file_they_are_in():
    private = Private()
    for file in ("train", "validation"):
        private.take(5, [Text(None, "text", PERSONAL["e-mail"], trained=True)], file)
    assert [(one.row, one.file) for one in private.findings()] == [(5, "train"), (5, "validation")]


def test_very_many_rows_of_a_kind_become_one_finding_with_their_lines():
    private = Private()
    for number in range(1, 1001):
        private.take(number, [Text(None, "text", PERSONAL["e-mail"], trained=True)], "train")
    told = list(private.findings())
    assert len(told) == 101
    assert told[-1].rows == tuple(range(101, 1001))
    assert "900 more rows" in told[-1].message


def test_odd_text_is_taken():
    assert found("\ud800 a@b \x00 +\ud800 " * 50) == []


def test_long_text_takes_linear_time():
    text = "abc-123 @ +1 ( 4 " * 2000 + "a@" * 5000 + "1-" * 5000 + "x.y" * 5000
    started = time.process_time()
    found(text)
    assert time.process_time() - started < 5


def test_nothing_is_loaded_before_it_is_asked_for():
    program = (
        "import sys, anytune.data.check.private, anytune.data.check.near, anytune.data.check.images, anytune.data.check.content\n"
        "heavy = {'detect_secrets', 'phonenumbers', 'stdnum', 'requests', 'rensa', 'PIL', 'ftfy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
