"""Writes the files of the corpus: rows as they are noted in the YAML pages, and what a page cannot hold (bombs, pictures, long lines)."""

from __future__ import annotations

import base64
import copy
import gzip
import io
import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SNIPS = HERE.parents[2] / "shared" / "data" / "snips" / "train.jsonl"
PAIR = b'{"prompt": "Name a river.", "completion": "The Elbe."}\n'
CITIES = [
    "Aarhus",
    "Bergen",
    "Cadiz",
    "Delft",
    "Esbjerg",
    "Faro",
    "Ghent",
    "Husum",
    "Ingolstadt",
    "Jena",
    "Kiel",
    "Lund",
    "Malaga",
    "Narvik",
    "Oulu",
    "Porto",
    "Quedlinburg",
    "Riga",
    "Sintra",
    "Turku",
    "Ulm",
    "Vigo",
    "Wismar",
    "Xanten",
    "York",
    "Zadar",
]


def good(kind, number):
    """Give a row that is right, other than those of other numbers."""
    city = f"{CITIES[number % 26]}{' (' + str(number // 26) + ')' if number >= 26 else ''}"
    ask, answer = f"Where is {city}?", f"{city} is on the {('coast', 'river', 'lake', 'hill')[number % 4]}."
    asked, answered = {"role": "user", "content": ask}, {"role": "assistant", "content": answer}
    return {
        "chat": {"messages": [asked, answered]},
        "prompt": {"prompt": ask, "completion": answer},
        "preference": {"prompt": ask, "chosen": answer, "rejected": f"Ask somebody in {city}."},
        "openai-dpo": {
            "input": {"messages": [asked], "tools": [], "parallel_tool_calls": True},
            "preferred_output": [answered],
            "non_preferred_output": [{"role": "assistant", "content": f"Ask somebody in {city}."}],
        },
        "graded": {"messages": [asked], "answer": answer},
    }[kind]


def jsonl(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def picture(kind):
    """Give a small picture as a data address."""
    from PIL import Image

    target = io.BytesIO()
    mode, name = {"png": ("RGB", "png"), "jpeg": ("RGB", "jpeg"), "webp": ("RGB", "webp"), "gif": ("P", "gif"), "cmyk": ("CMYK", "jpeg")}[
        kind
    ]
    Image.new(mode, (8, 8)).save(target, name)
    media = {"cmyk": "jpeg"}.get(kind, kind)
    return f"data:image/{media};base64,{base64.b64encode(target.getvalue()).decode()}"


def bomb():
    target = io.BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb", mtime=0) as stream:
        for _ in range(64):
            stream.write(b" " * 2**20)
    return target.getvalue()


def broken():
    packed = bytearray(gzip.compress(PAIR, mtime=0))
    packed[14:20] = b"\xff\x00\xff\x00\xff\x00"
    return bytes(packed)


def long_for_openai():
    row = {"messages": [{"role": "user", "content": "Count."}, {"role": "assistant", "content": "one two three " * 24_000}]}
    return jsonl([*(good("chat", number) for number in range(12)), row])


def parquet():
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as tables

    target = io.BytesIO()
    tables.write_table(pyarrow.table({"prompt": ["Name a river.", "Name a lake."], "completion": ["The Elbe.", "Como."]}), target)
    return target.getvalue()


def zstd():
    return pytest.importorskip("backports.zstd").compress(PAIR)


def long_row():
    return jsonl([{"messages": [{"role": "user", "content": "Go on. " * 20_000}, {"role": "assistant", "content": "On and on. " * 5_000}]}])


MADE = {
    "utf16": lambda: PAIR.decode().encode("utf-16"),
    "picture": lambda: base64.b64decode(picture("jpeg").partition(",")[2]),
    "gzip": lambda: gzip.compress(PAIR, mtime=0),
    "gzip-broken": broken,
    "gzip-cut": lambda: gzip.compress(PAIR + bytes(range(256)) * 40, mtime=0)[:-30],
    "gzip-bomb": bomb,
    "zstd": zstd,
    "parquet": parquet,
    "many-digits": lambda: PAIR + b'{"prompt": "x", "completion": "y", "score": ' + b"9" * 5000 + b"}\n",
    "long-line": lambda: PAIR + b'{"prompt": "' + b"x" * (17 * 2**20) + b'", "completion": "y"}\n' + PAIR.replace(b"river", b"lake"),
    "long-row": long_row,
    "long-for-openai": long_for_openai,
}


def snips(how):
    """Give the first real rows, one of them spoilt where that is asked for."""
    if not SNIPS.exists():
        pytest.skip("../shared/data/snips is not there")
    with SNIPS.open("rb") as stream:
        lines = [next(stream) for _ in range(how["snips"])]
    if "break" in how:
        place = how["break"] - 1
        row = json.loads(lines[0] if how["how"] in {"twice", "intent"} else lines[place])
        match how["how"]:
            case "role":
                row["messages"][2]["role"] = "assitant"
            case "intent":
                row["messages"][2]["content"] = '{"intent": "PlayMusic", "slots": {}}'
        lines[place] = lines[place][:60] + b"\n" if how["how"] == "cut" else jsonl([row])
    return b"".join(lines)


def made(how):
    """Give the bytes that `make` stands for."""
    if isinstance(how, str):
        return MADE[how]()
    if "snips" in how:
        return snips(how)
    if "count" in how:
        return jsonl(good(how["kind"], number) for number in range(how["count"]))
    if "deep" in how:
        return PAIR + b'{"prompt": "x", "completion": ' + b"[" * how["deep"] + b"]" * how["deep"] + b"}\n"
    depth = how["deep-good"]
    row = json.dumps({"messages": [{"role": "user", "content": "How deep?"}], "answer": None})
    return row.replace("null", "[" * depth + "1" + "]" * depth).encode() + b"\n"


def filled(rows, case, first=0):
    """Replace the words that stand for rows and pictures; right rows are numbered from `first`."""
    found = []
    for number, row in enumerate(rows, start=first):
        raw = good(case["kind"], number) if row == "good" else copy.deepcopy(row)
        if "picture" in case:
            address = picture(case["picture"])
            parts = [{"type": "image_url", "image_url": {"url": address}}] * case.get("repeat", 1)
            text = json.dumps(raw).replace('"PICTURES"', json.dumps(parts)).replace("PICTURE", address)
            raw = json.loads(text)
        found.append(raw)
    return found


@pytest.fixture
def write(tmp_path):
    """Give a function that writes a case's files, and gives their paths (the second may be None)."""

    def put(case):
        path = tmp_path / case.get("name", "rows.jsonl")
        content = made(case["make"]) if "make" in case else b""
        content += jsonl(filled(case.get("rows", []), case))
        content += case.get("text", "").encode() + case.get("bytes", "").encode("latin-1")
        path.write_bytes(content)
        if "validation" not in case:
            return path, None
        validation = tmp_path / "validation.jsonl"
        validation.write_bytes(jsonl(filled(case["validation"], case, first=100)))
        return path, validation

    return put
