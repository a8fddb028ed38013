"""Images in messages: whether those that a row carries can be read, and are what targets take. Nothing is fetched from an address.

Which messages may have images at all is the row's structure, and judged there.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import struct
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.codes import finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

    from anytune.data.rules import Rules
    from anytune.values import Finding

__all__ = ["MAX_IMAGE_BYTES", "images"]

MAX_IMAGE_BYTES = 10 * 1024 * 1024
"""Largest image that hosted trainers take (OpenAI and Azure, known 2026-11-22): beyond it is a warning where the rules name no limit."""

_TAKEN = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_SAME = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}
_MODES = {"RGB", "RGBA"}
_MODE_NAMES = {
    "1": "black and white",
    "L": "greyscale",
    "LA": "greyscale",
    "I": "greyscale",
    "I;16": "greyscale",
    "P": "a palette",
    "CMYK": "CMYK",
}

_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.IGNORECASE)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")

_OTHERS = (
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"BM.{4}\0{4}", re.DOTALL), "BMP"),
    (re.compile(rb"II\*\0|MM\0\*"), "TIFF"),
    (re.compile(rb".{4}ftyp(?:heic|heix|mif1|msf1|hevc)", re.DOTALL), "HEIC"),
    (re.compile(rb".{4}ftypavi[fs]", re.DOTALL), "AVIF"),
    (re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<svg", re.DOTALL), "SVG"),
    (re.compile(rb"%PDF-"), "PDF"),
)
"""How files begin that are pictures or documents, but of no taken format; only named, never opened."""

_NO_PICTURES = frozenset({"SVG", "PDF"})
"""What no reader of pictures opens, whatever the target takes."""

_FIX = "Convert it to a JPEG, PNG or WEBP image in RGB."


class _Place(NamedTuple):
    """Where an image is: the row, the message, and which of the row's images it is, from 1."""

    row: int
    message_index: int
    nth: int

    def found(self, code: str, message: str, fix: str, *, mild: bool = False) -> Finding:
        return finding(
            code,
            f"Image {self.nth} {message}",
            fix,
            row=self.row,
            message_index=self.message_index,
            severity="warning" if mild else None,
        )


def images(number: int, raw: dict[str, Any], rules: Rules) -> list[Finding]:
    """Find what is wrong with a row's images.

    Formats, colour modes and sizes that only some targets refuse are warnings, unless the target's rules say something about images.

    Args:
        number: The row's number.
        raw: The row, in a canonical form; what is no image part is passed over.
        rules: What the target takes.

    Example:
        >>> from anytune.data.rules import OPEN
        >>> part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        >>> [found.code for found in images(1, {"messages": [{"role": "user", "content": [part]}]}, OPEN)]
        ['bad-image']
    """
    found: list[Finding] = []
    count = 0
    for index, url in _urls(raw):
        count += 1
        found.extend(_judge(_Place(number, index, count), url, rules))
    if rules.max_images is not None and count > rules.max_images:
        message = f"The row has {count} images; {rules.target or 'the target'} takes {rules.max_images}."
        found.append(finding("too-many-images", message, "Split the row, or leave images out.", row=number))
    return found


def _urls(raw: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Give the address of every image and the index of its message in its list."""
    inner = raw.get("input")
    for row in (raw, inner) if isinstance(inner, dict) else (raw,):
        for key in ("messages", "prompt", "completion", "chosen", "rejected", "preferred_output", "non_preferred_output"):
            messages = row.get(key)
            for index, message in enumerate(messages if isinstance(messages, list) else ()):
                parts = message.get("content") if isinstance(message, dict) else None
                for part in parts if isinstance(parts, list) else ():
                    image = part.get("image_url") if isinstance(part, dict) else None
                    if isinstance(image, dict) and isinstance(url := image.get("url"), str) and url:
                        yield index, url


def _judge(place: _Place, url: str, rules: Rules) -> Iterator[Finding]:
    scheme = found[1].lower() if (found := _SCHEME.match(url)) else ""
    if scheme in {"http", "https"}:
        yield place.found(
            "image-address",
            "is fetched from an address by whoever trains, and was not looked at here.",
            "Put the image into the row as a `data:` URL, or see to it that the address stays public and answers until training has ended.",
        )
    elif scheme != "data":
        what = f"has an address of kind `{scheme}:`" if scheme and len(scheme) > 1 else "has a path as its address"
        yield place.found(
            "bad-image",
            f"{what}, which nobody else can read.",
            "Put the image into the row as a `data:` URL, or give an `https:` address.",
        )
    else:
        yield from _carried(place, url, rules)


def _carried(place: _Place, url: str, rules: Rules) -> Iterator[Finding]:
    head = _DATA.match(url)
    if head is None or not head[3]:
        yield place.found(
            "bad-image", "is no `data:` URL in Base64.", "Write `data:image/png;base64,` and then the image's bytes in Base64."
        )
        return
    most = rules.max_image_bytes or MAX_IMAGE_BYTES
    size = (len(url) - head.end()) * 3 // 4
    if size > most + 3:
        yield place.found(
            "image-too-large",
            f"has {size / 2**20:.1f} MiB; {rules.target or 'hosted trainers'} take{'s' if rules.target else ''} {most / 2**20:.0f} MiB.",
            "Make it smaller: models see images scaled down anyway.",
            mild=rules.max_image_bytes is None,
        )
    try:
        content = base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        yield place.found("bad-image", "is not Base64 (a wrong character, a line break or missing `=`).", "Encode the image's bytes anew.")
        return
    mild = rules.max_images is None and rules.max_image_bytes is None
    if other := next((name for begin, name in _OTHERS if begin.match(content)), None):
        yield place.found("image-format", f"is a {other}, which is not taken.", _FIX, mild=mild and other not in _NO_PICTURES)
    else:
        yield from _opened(place, content, (head[1] or "").lower(), mild=mild)


def _opened(place: _Place, content: bytes, mime: str, *, mild: bool) -> Iterator[Finding]:
    """Let Pillow read the image as far as it takes to know that all of it is there."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - only for rows with images

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=tuple(_TAKEN)) as image:
                kind, mode, frames = image.format or "", image.mode, getattr(image, "n_frames", 1)
                _read(image)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        pixels = f"{Image.MAX_IMAGE_PIXELS or 0:,}"
        yield place.found("bad-image", f"would unpack to more than {pixels} pixels.", "Make it smaller.")
        return
    except UnidentifiedImageError:
        yield place.found("bad-image", "is no image that can be read.", "Encode the bytes of a JPEG, PNG or WEBP file.")
        return
    except (OSError, SyntaxError, ValueError, EOFError, LookupError, ArithmeticError, MemoryError, struct.error):  # as Pillow's readers do
        yield place.found("bad-image", "is broken or cut off.", "Encode the whole file's bytes.")
        return
    if mime and _SAME.get(mime, mime) != _TAKEN[kind]:
        yield place.found("image-format", f"says that it is `{mime}` and is a {kind}.", f"Write `{_TAKEN[kind]}`.", mild=mild)
    if frames > 1:
        yield place.found("image-format", f"moves ({frames} frames), which is not taken.", "Keep one frame.", mild=mild)
    if mode not in _MODES:
        name = _MODE_NAMES.get(mode, f"mode {mode}")
        yield place.found("image-format", f"is in {name}; only RGB and RGBA are taken.", _FIX, mild=mild)


def _read(image: Image) -> None:
    """Read to the end, at the least cost that shows a cut: PNG has checksums, JPEG can be unpacked at an eighth of its size."""
    if image.format == "PNG":
        image.verify()
        return
    if image.format == "JPEG":
        image.draft("RGB", (image.width // 8 or 1, image.height // 8 or 1))
    image.load()
