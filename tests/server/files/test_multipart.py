"""Forms, read piece by piece."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anytune.server.errors import ApiError
from anytune.server.multipart import Form, _Reader

BOUNDARY = b"xX0boundary0Xx"


class Memory:
    """Takes a file's bytes as `Incoming` does."""

    def __init__(self):
        self.data = bytearray()

    @property
    def size_bytes(self):
        return len(self.data)

    def write(self, data):
        self.data += data


def part(name, content, *, filename=None, headers=b""):
    named = b"" if filename is None else b'; filename="' + filename + b'"'
    return b"--%s\r\nContent-Disposition: form-data; name=%s%s\r\n%s\r\n%s\r\n" % (BOUNDARY, b'"%s"' % name, named, headers, content)


def form_of(*parts):
    return b"".join(parts) + b"--%s--\r\n" % BOUNDARY


def read(body, *, pieces=None, **form):
    incoming = Memory()
    reader = _Reader(BOUNDARY, Form("file", frozenset({"purpose"}), **({"most_bytes": 10_000} | form)), incoming)
    for piece in [body] if pieces is None else pieces:
        reader.feed(piece)
    return reader.done(), bytes(incoming.data)


def refused(body, **form):
    with pytest.raises(ApiError) as caught:
        read(body, **form)
    return caught.value


WHOLE = form_of(part(b"purpose", b"fine-tune"), part(b"file", b'{"a": 1}\n', filename=b"rows.jsonl"))


def test_a_form_gives_its_fields_its_files_name_and_bytes():
    received, content = read(WHOLE)
    assert (received.fields, received.filename, content) == ({"purpose": "fine-tune"}, "rows.jsonl", b'{"a": 1}\n')


def test_fields_may_come_after_the_file():
    received, _ = read(form_of(part(b"file", b"x", filename=b"rows.jsonl"), part(b"purpose", b"fine-tune")))
    assert received.fields == {"purpose": "fine-tune"}


@settings(deadline=None, max_examples=200)
@given(
    content=st.binary(max_size=300)
    | st.lists(st.sampled_from([b"\r", b"\n", b"-", b"\r\n--", BOUNDARY[:5], BOUNDARY, b"x"])).map(b"".join),
    cuts=st.lists(st.integers(0, 600), max_size=12),
)
def test_where_a_body_is_cut_changes_nothing(content, cuts):
    if b"\r\n--" + BOUNDARY in b"\r\n" + content:
        return
    body = form_of(part(b"purpose", b"fine-tune"), part(b"file", content, filename=b"rows.jsonl"))
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[start:end] for start, end in itertools.pairwise(places)]
    received, got = read(body, pieces=pieces)
    assert (received.fields, received.filename, got) == ({"purpose": "fine-tune"}, "rows.jsonl", content)


@pytest.mark.parametrize("end", range(1, len(WHOLE) - 4))
def test_a_form_that_breaks_off_is_no_form(end):
    assert refused(WHOLE[:end]).status == 400


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "Missing required parameter: 'file'"),
        (b"--%s--\r\n" % BOUNDARY, 400, "Missing required parameter: 'file'"),
        (form_of(part(b"purpose", b"fine-tune")), 400, "Missing required parameter: 'file'"),
        (form_of(part(b"file", b"x")), 400, "has no file name"),
        (form_of(part(b"purpose", b"a"), part(b"purpose", b"b")), 400, "two parts"),
        (form_of(part(b"file", b"x", filename=b"a"), part(b"file", b"y", filename=b"b")), 400, "two parts"),
        (form_of(part(b"base_url", b"http://x")), 400, "Unrecognized request argument supplied: base_url"),
        (form_of(part(b"purpose", b"\xff"), part(b"file", b"x", filename=b"a")), 400, "not UTF-8"),
        (form_of(part(b"file", b"x", filename=b"a"), part(b"purpose", b"\xff")), 400, "not UTF-8"),
        (form_of(part(b"file", b"x", filename=b"\xff.jsonl")), 400, "not UTF-8"),
        (b"--%s\r\nContent-Type: text/plain\r\n\r\nx\r\n--%s--\r\n" % (BOUNDARY, BOUNDARY), 400, "no name"),
        (b'--%s\r\nContent-Disposition: attachment; name="file"\r\n\r\nx\r\n--%s--\r\n' % (BOUNDARY, BOUNDARY), 400, "no name"),
        (b"--other\r\n\r\n", 400, "cannot be told apart"),
        (b"{}", 400, "cannot be told apart"),
    ],
)
def test_what_is_no_such_form_is_refused_with_the_reason(body, status, words):
    error = refused(body)
    assert error.status == status
    assert words in error.message


def test_a_part_of_an_upload_needs_no_name():
    received, content = read(form_of(part(b"file", b"bytes")), named=False)
    assert (received.filename, content) == ("", b"bytes")


def test_the_file_is_held_to_its_length():
    read(form_of(part(b"file", b"x" * 100, filename=b"a")), most_bytes=100)
    error = refused(form_of(part(b"file", b"x" * 101, filename=b"a")), most_bytes=100)
    assert (error.status, error.code, error.param) == (413, "file_too_large", "file")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a long field", part(b"purpose", b"x" * 2000)),
        ("many parts", b"".join(part(b"purpose%d" % n, b"x") for n in range(100))),
        ("many empty parts", (b"--%s\r\n\r\n\r\n" % BOUNDARY) * 100),
        ("many headers", part(b"purpose", b"x", headers=b"".join(b"X-%d: y\r\n" % n for n in range(100)))),
        ("a long header", part(b"purpose", b"x", headers=b"X: %s\r\n" % (b"y" * 10_000))),
        ("a long name", part(b"p" * 10_000, b"x")),
        ("a preamble", b"\r\n" * 100_000),
        ("a preamble of words", b"\r\n" + b"x" * 100_000),
        ("an epilogue", WHOLE + b"x" * 100_000),
        ("padding", b"--" + BOUNDARY + b" " * 100_000),
    ],
)
def test_nothing_beside_the_file_may_be_large(name, body):
    assert refused(body).status in {400, 413}, name


def test_a_boundary_may_not_be_long():
    with pytest.raises(ApiError, match="boundary is too long"):
        _Reader(b"x" * 1000, Form("file", frozenset(), 10), Memory())


def test_what_is_wrong_with_the_file_is_said_before_its_bytes_come():
    def check(fields, filename):
        raise ApiError(400, f"no {fields['purpose']} {filename}")

    head = part(b"purpose", b"tunes") + part(b"file", b"", filename=b"rows.csv")[:-2]
    incoming = Memory()
    reader = _Reader(BOUNDARY, Form("file", frozenset({"purpose"}), 10_000, check=check), incoming)
    with pytest.raises(ApiError, match=r"no tunes rows\.csv"):
        reader.feed(head + b"x" * 5000)
    assert incoming.size_bytes == 0
