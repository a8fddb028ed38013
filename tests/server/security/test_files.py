"""Rows 29 and 30 of the list of attacks: names that would be paths, and bodies that would fill the memory."""

from __future__ import annotations

import gzip
import itertools
import json
import socket
import statistics
import threading
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

MIB = 2**20
BOUNDARY = b"xX0boundary0Xx"
ROWS = b'{"messages": []}\n'
NAMES = (
    "../../x.jsonl",
    "../../../../../../../../tmp/anytune-canary.jsonl",
    "/etc/cron.d/x.jsonl",
    "..\\..\\x.jsonl",
    "C:\\Windows\\x.jsonl",
    "....//....//x.jsonl",
    "%2e%2e%2fx.jsonl",
    "~/.ssh/authorized_keys.jsonl",
    ".jsonl",
    "-rf.jsonl",
    "$(touch x).jsonl",
    "CON.jsonl",
    "\u202elnosj.jsonl",
)
BAD_NAMES = ("x\0.jsonl", "x" * 300 + ".jsonl", "..", "../", "a\x7f.jsonl", "x\n.jsonl")
IDS = (
    "..",
    "../ledger.db",
    "../../../../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..\\..\\ledger.db",
    "/etc/passwd",
    b64encode(b"../../etc/passwd").decode(),
    "file-" + b64encode(b"../../etc/passwd").decode(),
    "file-../../../../../etc/pass",
    "file-\0",
    ".file-aaaaaaaaaaaaaaaaaaaaaaaa.00000000.partial",
    "file:///etc/passwd",
    "*",
    "file-' OR '1'='1",
    "x" * 300,
)


@pytest.fixture(scope="module")
def tree():
    """List every file under a folder with its bytes."""

    def listed(folder: Path) -> dict[str, bytes]:
        return {str(place.relative_to(folder)): place.read_bytes() for place in folder.rglob("*") if place.is_file()}

    return listed


def form_of(filename, content=ROWS):
    head = b'--%s\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--%s\r\n' % (BOUNDARY, BOUNDARY)
    named = b'Content-Disposition: form-data; name="file"; filename="' + filename.encode() + b'"\r\n\r\n'
    return head + named + content + b"\r\n--%s--\r\n" % BOUNDARY


def headers_of(served, **more):
    kind = f"multipart/form-data; boundary={BOUNDARY.decode()}"
    return {"Authorization": f"Bearer {served.key}", "Content-Type": kind} | more


class TestNames:
    """Row 29."""

    def test_a_files_name_never_becomes_a_path(self, serve, tmp_path, tree):
        served = serve()
        store = served.house.store.root
        headers = headers_of(served)
        key = {"Authorization": headers["Authorization"]}
        with httpx2.Client(base_url=served.base_url, trust_env=False) as client:
            for count, name in enumerate(NAMES, 1):
                answer = client.post("/files", content=form_of(name), headers=headers)
                assert answer.status_code == 200, name
                assert "/" not in answer.json()["filename"]
                assert "\\" not in answer.json()["filename"]
                listed = client.get("/files", headers=key).json()["data"]
                assert sorted(place.name for place in store.iterdir()) == sorted(row["id"] for row in listed)
                assert len(listed) == count
            for name in BAD_NAMES:
                assert client.post("/files", content=form_of(name), headers=headers).status_code == 400, name
        assert len(list(store.iterdir())) == len(NAMES)
        assert not Path("/tmp/anytune-canary.jsonl").exists()
        strays = [path for path, content in tree(tmp_path).items() if content == ROWS and not path.startswith("home/server/files/file-")]
        assert strays == []

    def test_an_id_never_becomes_a_path(self, database, serve, tmp_path, tree):
        served = serve()
        (tmp_path / "home" / "canary").write_text("canary-5f1d")
        before = {path for path in tree(tmp_path) if "ledger" not in path}
        with httpx2.Client(base_url=served.base_url, headers={"Authorization": f"Bearer {served.key}"}, trust_env=False) as client:
            for file_id, encoded in itertools.product((*IDS, "../../canary"), (False, True)):
                path = quote(file_id, safe="" if encoded else "/%\\:*'=")
                for method, tail in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
                    answer = client.request(method, f"/files/{path}{tail}")
                    assert answer.status_code in {400, 404, 405}, (file_id, method, tail)
                    assert "canary-5f1d" not in answer.text
                    assert "root:" not in answer.text
                for action in ("parts", "complete", "cancel"):
                    answer = client.post(f"/uploads/{path}/{action}", json={"part_ids": ["../../canary"]})
                    assert answer.status_code in {400, 404, 405, 415}, (file_id, action)
                assert client.get("/files", params={"after": file_id}).status_code in {400, 404}
        assert {path for path in tree(tmp_path) if "ledger" not in path} == before

    def test_a_part_id_never_becomes_a_path(self, serve):
        served = serve()
        client = served.client()
        upload = client.uploads.create(bytes=3, filename="rows.jsonl", mime_type="text/jsonl", purpose="fine-tune")
        headers = {"Authorization": f"Bearer {served.key}"}
        for part_id in IDS:
            body = {"part_ids": [part_id]}
            answer = httpx2.post(f"{served.base_url}/uploads/{upload.id}/complete", json=body, headers=headers, trust_env=False)
            assert answer.status_code == 400
            assert answer.json()["error"]["param"] == "part_ids"

    def test_ids_cannot_be_guessed(self, serve):
        client = serve().client()
        ids = [client.files.create(file=("rows.jsonl", ROWS), purpose="fine-tune").id for _ in range(20)]
        assert len(set(ids)) == 20
        assert all(len(file_id) == len("file-") + 24 for file_id in ids)
        for first, second in itertools.pairwise(ids):
            assert sum(a == b for a, b in zip(first[5:], second[5:], strict=True)) < 8


def memory_kib(served, field):
    text = Path(f"/proc/{served.process.pid}/status").read_text()
    return int(text.split(f"{field}:")[1].split()[0])


class Watch:
    """Looks at a server's memory, and at how soon it answers /health, while something else happens."""

    def __init__(self, served):
        self.served, self.pauses_s, self.over = served, [], threading.Event()

    def __enter__(self):
        Path(f"/proc/{self.served.process.pid}/clear_refs").write_text("5")  # the peak begins here
        self.before_kib = memory_kib(self.served, "VmRSS")
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(30)
        self.grown_mib = (memory_kib(self.served, "VmHWM") - self.before_kib) / 1024

    def _ask(self):
        with httpx2.Client(trust_env=False, timeout=30) as client:
            while not self.over.is_set():
                since = time.perf_counter()
                assert client.get(f"{self.served.root}/health").status_code == 200
                self.pauses_s.append(time.perf_counter() - since)
                self.over.wait(0.01)


def pour(served, pieces, path="/v1/files", **more):
    """Send a body without an announced length until the server answers or it ends; gives the status and the bytes sent."""
    host, port = served.root.removeprefix("http://").split(":")
    head = "".join(f"{name}: {value}\r\n" for name, value in headers_of(served, **more).items())
    sent = 0
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nTransfer-Encoding: chunked\r\n{head}\r\n".encode())
        try:
            for piece in pieces:
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                sent += len(piece)
            connection.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = connection.makefile("rb").readline()
    return int(answer.split()[1]), sent


def field(name, rest=b""):
    return b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n' % (BOUNDARY, name, rest)


def attacks():
    block = b"x" * MIB
    yield "a field of 1 GB", lambda: itertools.chain([field(b"purpose")], itertools.repeat(block, 1024))
    yield "a million parts", lambda: itertools.repeat(field(b"purpose") * 1000, 1000)
    yield "a million nameless parts", lambda: itertools.repeat((b"--%s\r\n\r\n\r\n" % BOUNDARY) * 1000, 1000)
    yield "a million headers", lambda: itertools.chain([b"--%s\r\n" % BOUNDARY], itertools.repeat(b"X-Y: z\r\n" * 1000, 1000))
    yield "a header of 1 GB", lambda: itertools.chain([b"--%s\r\nX-Y: " % BOUNDARY], itertools.repeat(block, 1024))
    yield "a preamble without an end", lambda: itertools.repeat(b"\r\n" * (MIB // 2), 1024)
    yield "a preamble of words", lambda: itertools.chain([b"\r\n"], itertools.repeat(block, 1024))
    yield "an epilogue without an end", lambda: itertools.chain([form_of("rows.jsonl")], itertools.repeat(block, 1024))
    yield "padding without an end", lambda: itertools.chain([b"--" + BOUNDARY], itertools.repeat(b" " * MIB, 1024))
    yield "a name of 1 GB", lambda: itertools.chain([field(b"file", b'; filename="')[:-4]], itertools.repeat(block, 1024))
    yield "JSON where a form belongs", lambda: itertools.repeat(b"[" * MIB, 1024)


@pytest.fixture
def small(launch, tmp_path):
    """A real server whose files are at most 64 MiB."""
    config = tmp_path / "serve.yaml"
    config.write_text(json.dumps({"backend": "memory", "limits": {"file_bytes": 64 * MIB, "part_bytes": 8 * MIB}}))
    return launch("--config", str(config))


class TestBodies:
    """Row 30."""

    def test_a_body_without_an_end_is_refused_early_and_costs_no_memory(self, small, state):
        pour(small, [form_of("rows.jsonl")])
        tries = [attack for attack in attacks() for _ in range(10)]
        with Watch(small) as watch, ThreadPoolExecutor(4) as pool:
            for (name, _), (status, sent) in zip(tries, pool.map(lambda attack: pour(small, attack[1]()), tries), strict=True):
                assert status in {400, 413}, name
                assert sent < 32 * MIB, name
        assert watch.grown_mib < 64
        assert statistics.median(watch.pauses_s) < 0.1
        assert [place for place in (state / "server" / "files").iterdir() if place.name.startswith(".")] == []

    def test_a_file_over_the_limit_is_refused_whether_its_length_was_announced_or_not(self, small, state):
        pour(small, [form_of("rows.jsonl")])
        with Watch(small) as watch:
            head, block = form_of("rows.jsonl").split(ROWS)[0], b"x" * MIB
            status, sent = pour(small, itertools.chain([head], itertools.repeat(block, 1024)))
            assert status == 413
            assert sent < 128 * MIB
            announced = {"Content-Length": str(1024 * MIB)} | headers_of(small)
            with httpx2.Client(trust_env=False, timeout=30) as client:
                answer = client.post(f"{small.base_url}/files", content=itertools.repeat(block, 1024), headers=announced)
            assert answer.status_code == 413
        assert watch.grown_mib < 64
        assert statistics.median(watch.pauses_s) < 0.1
        assert len(list((state / "server" / "files").iterdir())) == 1

    def test_a_large_file_that_is_allowed_costs_no_memory_either(self, launch):
        served = launch("--backend", "memory")
        pour(served, [form_of("rows.jsonl")])
        head, tail = form_of("rows.jsonl").split(ROWS)
        with Watch(served) as watch:
            status, _ = pour(served, itertools.chain([head], itertools.repeat(b"x" * MIB, 300), [tail]))
            assert status == 200
            file = next(iter(served.client().files.list()))
            with served.client().files.with_streaming_response.content(file.id) as answer:
                assert sum(map(len, answer.iter_bytes(MIB))) == 300 * MIB
        assert watch.grown_mib < 64
        assert statistics.median(watch.pauses_s) < 0.1

    @pytest.mark.parametrize("path", ["/v1/files", "/v1/uploads"])
    def test_a_compressed_body_is_refused_unread(self, small, path):
        bomb = gzip.compress(b"\0" * 64 * MIB)
        with Watch(small) as watch:
            for encoding in ("gzip", "deflate", "br", "zstd", "identity, gzip"):
                answer = httpx2.post(
                    small.root + path,
                    content=bomb,
                    headers=headers_of(small, **{"Content-Encoding": encoding}),
                    trust_env=False,
                    timeout=30,
                )
                assert answer.status_code == 415, encoding
        assert watch.grown_mib < 16
