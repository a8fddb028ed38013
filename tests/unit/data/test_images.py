"""Images in rows: readable, of a taken format, not too large, and never fetched."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import pytest
from PIL import Image

from anytune.data.check.images import MAX_IMAGE_BYTES, images
from anytune.data.rules import OPEN, Rules

RULES = Rules(target="openai with gpt-4.1", max_images=10, max_image_bytes=10 * 2**20)


def picture(kind="PNG", mode="RGB", size=(40, 30), **how):
    stream = io.BytesIO()
    noise = bytes((x * 7 + y * 13) % 251 for y in range(size[1]) for x in range(size[0]))
    Image.frombytes("L", size, noise).convert(mode).save(stream, kind, **how)
    return stream.getvalue()


def url(content, mime="image/png"):
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def row(*urls, role="user"):
    parts = [{"type": "image_url", "image_url": {"url": one, "detail": "low"}} for one in urls]
    return {
        "messages": [
            {"role": "system", "content": "Look."},
            {"role": role, "content": [{"type": "text", "text": "What is it?"}, *parts]},
            {"role": "assistant", "content": "A dog."},
        ]
    }


def codes(*urls, rules=RULES):
    return [(one.code, one.severity) for one in images(3, row(*urls), rules)]


@pytest.mark.parametrize(
    ("kind", "mode", "mime"),
    [
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "RGB", "image/jpg"),
        ("JPEG", "RGB", "IMAGE/JPEG"),
        ("PNG", "RGB", "image/png"),
        ("PNG", "RGBA", "image/png"),
        ("WEBP", "RGB", "image/webp"),
        ("WEBP", "RGBA", "image/webp"),
    ],
)
def test_an_image_of_a_taken_format_is_good(kind, mode, mime):
    assert codes(url(picture(kind, mode), mime)) == []


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_other_formats_are_named_and_not_taken(kind):
    (found,) = images(3, row(url(picture(kind))), RULES)
    assert (found.code, found.severity, found.row, found.message_index) == ("image-format", "error", 3, 1)
    assert kind in found.message


@pytest.mark.parametrize(
    ("begin", "name"),
    [(b"<?xml version='1.0'?><svg>", "SVG"), (b"%PDF-1.7", "PDF"), (b"\0\0\0\x18ftypheic", "HEIC"), (b"\0\0\0\x18ftypavif", "AVIF")],
)
def test_formats_that_are_never_opened_are_named_too(begin, name):
    (found,) = images(3, row(url(begin + bytes(40))), RULES)
    assert found.code == "image-format"
    assert name in found.message


@pytest.mark.parametrize("mode", ["L", "LA", "1", "P"])
def test_colour_modes_that_are_not_taken(mode):
    assert codes(url(picture("PNG", mode))) == [("image-format", "error")]


def test_a_jpeg_in_cmyk_is_not_taken():
    (found,) = images(3, row(url(picture("JPEG", "CMYK"), "image/jpeg")), RULES)
    assert found.code == "image-format"
    assert "CMYK" in found.message


def test_a_moving_image_is_not_taken():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green")]
    stream = io.BytesIO()
    frames[0].save(stream, "WEBP", save_all=True, append_images=frames[1:])
    (found,) = images(3, row(url(stream.getvalue(), "image/webp")), RULES)
    assert found.code == "image-format"
    assert "2 frames" in found.message


def test_a_type_that_is_not_the_images_is_found():
    (found,) = images(3, row(url(picture("JPEG"), "image/png")), RULES)
    assert found.code == "image-format"
    assert found.fix == "Write `image/jpeg`."


def test_what_only_some_targets_refuse_is_a_warning_where_none_is_named():
    assert codes(url(picture("GIF")), url(picture("PNG", "L")), rules=OPEN) == [("image-format", "warning")] * 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_image_that_was_cut_off_is_broken(kind):
    content = picture(kind, size=(200, 200))
    (found,) = images(3, row(url(content[: len(content) // 2], f"image/{kind.lower()}")), RULES)
    assert (found.code, found.severity) == ("bad-image", "error")
    assert "cut off" in found.message


def test_bytes_that_are_no_image_are_found():
    assert codes(url(b"hello, I am no image at all")) == [("bad-image", "error")]


@pytest.mark.parametrize(
    "bad",
    [
        "data:image/png;base64,$$$$",
        "data:image/png;base64,QUJD\nREVG",
        "data:image/png;base64,QUJDR",
        "data:image/png;base64,",
        "data:image/png,plain",
        "data:;",
        "data:",
        "data:image/png;base64",
    ],
)
def test_a_data_address_must_hold_base64(bad):
    assert codes(bad) == [("bad-image", "error")]


@pytest.mark.parametrize("address", ["https://example.com/dog.png", "http://example.com/dog.png", "HTTPS://EXAMPLE.COM/dog.png"])
def test_an_address_is_a_warning_and_is_not_fetched(address, monkeypatch):
    monkeypatch.setattr("socket.socket", None)
    assert codes(address) == [("image-address", "warning")]


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "ftp://example.com/dog.png", "dog.png", "/pictures/dog.png", "C:\\dog.png", "javascript:alert(1)", "s3://a/b"],
)
def test_an_address_that_nobody_else_can_read_is_an_error(address):
    assert codes(address) == [("bad-image", "error")]


def test_an_image_beyond_the_targets_size_is_an_error_with_both_sizes():
    rules = Rules(target="azure with gpt-4o", max_image_bytes=2**20)
    content = picture() + bytes(2 * 2**20)
    (found,) = images(3, row(url(content)), rules)
    assert (found.code, found.severity) == ("image-too-large", "error")
    assert "2.0 MiB" in found.message
    assert "azure with gpt-4o takes 1 MiB" in found.message


def test_ten_mib_is_a_warning_where_no_target_is_named():
    content = picture() + bytes(MAX_IMAGE_BYTES)
    assert codes(url(content), rules=OPEN) == [("image-too-large", "warning")]


def test_too_many_images_are_counted_over_the_row():
    one = url(picture(size=(4, 4)))
    assert codes(*[one] * 10) == []
    (found,) = images(3, row(*[one] * 11), RULES)
    assert (found.code, found.row, found.message_index) == ("too-many-images", 3, None)
    assert "11 images" in found.message


def test_any_number_of_images_is_good_where_no_limit_is_known():
    assert codes(*[url(picture(size=(4, 4)))] * 30, rules=OPEN) == []


def test_a_decompression_bomb_is_not_unpacked():
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)) + chunk(b"IEND", b"")
    (found,) = images(3, row(url(bomb)), RULES)
    assert found.code == "bad-image"
    assert "pixels" in found.message


def test_images_of_prompts_and_preferences_are_looked_at():
    turn = row("dog.png")["messages"][1]
    answer = [{"role": "assistant", "content": "x"}]
    assert len(images(1, {"prompt": [turn], "completion": "x"}, RULES)) == 1
    assert len(images(1, {"prompt": [turn], "chosen": answer, "rejected": answer}, RULES)) == 1
    assert len(images(1, {"input": {"messages": [turn]}, "preferred_output": answer, "non_preferred_output": answer}, RULES)) == 1


@pytest.mark.parametrize(
    "content",
    [None, "text", 5, [None], [{"type": "image_url"}], [{"image_url": "x"}], [{"image_url": {"url": 5}}], [{"image_url": {"url": ""}}]],
)
def test_what_is_not_well_formed_is_left_to_the_judge(content):
    assert images(1, {"messages": [{"role": "user", "content": content}, None]}, RULES) == []


def test_no_message_shows_the_address_or_the_bytes():
    secret = "https://example.com/" + "private-token"
    assert all("private-token" not in one.message + one.fix for one in images(1, row(secret, "data:image/png;base64,private-token"), RULES))
