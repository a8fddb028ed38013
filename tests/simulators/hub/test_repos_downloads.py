"""Files of the simulated Hub, as the real client downloads them."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import errors

from anytune.testing import WireFault, WireFaults

MIB = 1 << 20


def test_a_snapshot_is_of_a_branch_a_tag_or_a_commit(hub, api):
    first = hub.add("model", "acme/one", {"config.json": "{}", "sub/a.txt": "1"}).sha
    api.create_tag("acme/one", tag="v1")
    newest = hub.add("model", "acme/one", {"config.json": "{}", "sub/a.txt": "2", "b": "x"}).sha
    for revision, commit, text in ((None, newest, "2"), ("main", newest, "2"), ("v1", first, "1"), (first, first, "1")):
        folder = Path(api.snapshot_download("acme/one", revision=revision))
        assert (folder.name, (folder / "sub/a.txt").read_text()) == (commit, text)
    assert not (Path(api.snapshot_download("acme/one", revision="v1")) / "b").exists()


def test_a_snapshot_takes_what_is_asked_for(hub, api, tmp_path):
    hub.add("dataset", "acme/rows", {"train.jsonl": "{}\n", "test.jsonl": "{}\n", "README.md": "x"})
    api.snapshot_download("acme/rows", repo_type="dataset", allow_patterns=["train*"], local_dir=tmp_path / "here")
    assert [path.name for path in (tmp_path / "here").iterdir() if path.is_file()] == ["train.jsonl"]


def test_a_file_says_which_commit_and_content_it_is(hub, api):
    weights = random.Random(0).randbytes(MIB)
    sha = hub.add("space", "acme/app", {"app.py": "print()", "w.safetensors": weights}).sha
    told = api.get_hf_file_metadata(url=f"{hub.url}/spaces/acme/app/resolve/main/w.safetensors")
    assert (told.commit_hash, told.size) == (sha, MIB)
    assert told.etag == api.get_paths_info("acme/app", "w.safetensors", repo_type="space")[0].lfs.sha256
    plain = api.get_hf_file_metadata(url=f"{hub.url}/spaces/acme/app/resolve/main/app.py")
    assert (plain.etag, plain.size) == (api.get_paths_info("acme/app", "app.py", repo_type="space")[0].blob_id, 7)


def test_a_file_comes_from_a_byte_on(hub):
    hub.add("model", "acme/one", {"a": "0123456789"})
    address = f"{hub.url}/acme/one/resolve/main/a"
    part = httpx2.get(address, headers={"Range": "bytes=4-6"})
    assert (part.status_code, part.text, part.headers["Content-Range"]) == (206, "456", "bytes 4-6/10")
    assert httpx2.get(address, headers={"Range": "bytes=8-"}).text == "89"
    beyond = httpx2.get(address, headers={"Range": "bytes=10-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */10")


def test_a_download_that_breaks_off_goes_on_where_it_was(hub, api):
    content = random.Random(1).randbytes(12 * MIB)
    hub.add("model", "acme/one", {"w.safetensors": content})
    route = "GET /{repo}/resolve/{revision}/{path}"
    hub.faults = WireFaults(calls=(WireFault(kind="truncated", on=route, cut_at=11 * MIB),))  # the client keeps whole pieces of 10 MiB
    with open(api.hf_hub_download("acme/one", "w.safetensors"), "rb") as file:
        assert file.read() == content
    first, second = [asked for asked in hub.requests if asked.route == route]
    assert "range" not in first.headers
    assert second.headers["range"] == f"bytes={10 * MIB}-"
    assert second.status == 206


def test_what_is_there_is_not_downloaded_again(hub, api):
    hub.add("model", "acme/one", {"a": "x"})
    for _ in range(2):
        api.hf_hub_download("acme/one", "a")
    assert hub.count("GET /{repo}/resolve/{revision}/{path}") == 1


def test_names_with_spaces_slashes_and_other_letters_are_kept(hub, api):
    names = ["a b/c d.txt", "größe.txt", "x%2Fy", "résumé/é.json"]
    hub.add("model", "acme/one", dict.fromkeys(names, "x"))
    api.create_branch("acme/one", branch="feature/ü")
    assert sorted(api.list_repo_files("acme/one", revision="feature/ü")) == sorted(names)
    for name in names:
        assert Path(api.hf_hub_download("acme/one", name, revision="feature/ü")).read_text() == "x"


def test_a_file_that_is_not_there_is_told_from_a_repo_and_a_revision_that_are_not(hub, api):
    hub.add("model", "acme/one", {"a": "x"})
    for repo, name, revision, kind in (
        ("acme/one", "none", None, errors.RemoteEntryNotFoundError),
        ("acme/one", "a", "none", errors.RevisionNotFoundError),
        ("acme/none", "a", None, errors.RepositoryNotFoundError),
    ):
        with pytest.raises(kind):
            api.hf_hub_download(repo, name, revision=revision)


def test_private_and_gated_files_need_a_token_of_somebody_who_may_have_them(hub, api, connect):
    hub.add("model", "acme/secret", {"a": "x"}, private=True)
    hub.add("model", "big/lab", {"a": "x"}, gated="auto")
    for token in (False, hub.token_for("bob")):
        other = connect(hub, token=token)
        with pytest.raises(errors.RepositoryNotFoundError):
            other.hf_hub_download("acme/secret", "a")
        for call in (lambda: other.hf_hub_download("big/lab", "a"), lambda: other.snapshot_download("big/lab")):  # noqa: B023 - called at once
            with pytest.raises(errors.GatedRepoError):
                call()
    assert Path(api.hf_hub_download("acme/secret", "a")).read_text() == "x"


def test_a_dataset_is_found_by_its_name(hub, tmp_path):
    card = "---\nconfigs:\n- config_name: small\n  data_files:\n  - {split: train, path: x.jsonl}\n---\n"
    sha = hub.add("dataset", "acme/rows", {"README.md": card, "x.jsonl": '{"text": "a"}\n'}, private=True).sha
    env = os.environ | hub.environment() | {"HF_HOME": str(tmp_path / "hf"), "ANYTUNE_HOME": str(tmp_path / "anytune")}
    code = "import sys; from anytune.data.files import locate; print(locate(sys.argv[1]).model_dump_json())"

    def ask(name):
        return subprocess.run([sys.executable, "-c", code, name], env=env, capture_output=True, text=True, check=False)

    found = json.loads(ask("hf:acme/rows:small/train").stdout)
    assert (found["revision"], found["files"], Path(found["path"]).read_text()) == (sha, ["x.jsonl"], '{"text": "a"}\n')
    assert "no revision 'never'" in ask("hf:acme/rows@never").stderr
    assert "no dataset acme/none" in ask("hf:acme/none").stderr


def test_an_empty_folder_stays_out(hub, api, tmp_path):
    os.makedirs(tmp_path / "model" / "empty")
    (tmp_path / "model" / "a").write_text("x")
    hub.add("model", "acme/one", tmp_path / "model")
    assert api.list_repo_files("acme/one") == ["a"]


def test_copies_that_the_hub_made_are_on_a_branch_of_their_own(hub, api):
    hub.add("dataset", "acme/rows", {"x.csv": "a\n"})
    hub.add("dataset", "acme/rows", {"default/train/0000.parquet": b"PAR1"}, branch="refs/convert/parquet")
    (copies,) = api.list_repo_refs("acme/rows", repo_type="dataset").converts
    assert (copies.name, copies.ref) == ("parquet", "refs/convert/parquet")
    assert api.list_repo_files("acme/rows", repo_type="dataset") == ["x.csv"]
    file = api.hf_hub_download("acme/rows", "default/train/0000.parquet", repo_type="dataset", revision="refs/convert/parquet")
    assert Path(file).read_bytes() == b"PAR1"
