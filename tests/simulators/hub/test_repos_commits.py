"""Commits, branches and tags of the simulated Hub, as the real client makes them; large files too."""

from __future__ import annotations

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, errors

# The client (2.4.0) hands large files to httpx2 as `data`, of which httpx2 warns (seen 2026-11-23).
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

MIB = 1 << 20


def noise(size_bytes, seed=0):
    return random.Random(seed).randbytes(size_bytes)


@pytest.fixture
def repo(api):
    api.create_repo("acme/one")
    return "acme/one"


def test_a_commit_adds_changes_copies_and_deletes(hub, api, repo):
    api.create_commit(
        repo,
        [CommitOperationAdd(name, name.encode()) for name in ("a", "b", "old/x", "old/y")],
        commit_message="First",
        commit_description="of two",
    )
    made = api.create_commit(
        repo,
        [
            CommitOperationAdd("a", b"new"),
            CommitOperationDelete("b"),
            CommitOperationDelete("old/"),
            CommitOperationCopy("a", "copy"),
        ],
        commit_message="Second",
    )
    files = hub.store.get("model", repo).files(made.oid)
    assert {name: content for name, content in files.items() if name != ".gitattributes"} == {"a": b"new", "copy": b"a"}
    told = api.list_repo_commits(repo)
    assert [(commit.title, commit.message, commit.authors) for commit in told[:2]] == [
        ("Second", "", ["ada"]),
        ("First", "of two", ["ada"]),
    ]
    assert (told[0].commit_id, made.commit_url) == (made.oid, f"{hub.url}/acme/one/commit/{made.oid}")


def test_what_a_commit_holds_never_changes(hub, api, repo):
    first = api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo).oid
    api.upload_file(path_or_fileobj=b"2", path_in_repo="a", repo_id=repo)
    api.delete_file("a", repo)
    assert hub.store.get("model", repo).files(first)["a"] == b"1"
    assert "a" not in api.list_repo_files(repo)


def test_what_has_not_changed_is_not_sent_again(hub, api, repo, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "w.safetensors").write_bytes(noise(2 * MIB))
    (folder / "config.json").write_text("{}")
    first = api.upload_folder(repo_id=repo, folder_path=folder)
    again = api.upload_folder(repo_id=repo, folder_path=folder)
    assert (again.oid, hub.count("POST /api/models/{repo}/commit/{revision}"), hub.count("PUT /lfs/{oid}")) == (first.oid, 1, 1)


def test_a_file_of_12_mib_goes_to_large_file_storage_and_comes_back_whole(hub, api, repo, tmp_path):
    content = noise(12 * MIB)
    (tmp_path / "rows.jsonl").write_bytes(content)
    api.upload_file(path_or_fileobj=tmp_path / "rows.jsonl", path_in_repo="data/rows.jsonl", repo_id=repo)
    (told,) = api.get_paths_info(repo, "data/rows.jsonl")
    assert (told.lfs.sha256, told.lfs.size) == (hashlib.sha256(content).hexdigest(), 12 * MIB)
    assert hub.count("PUT /lfs/{oid}") == 1
    with open(api.hf_hub_download(repo, "data/rows.jsonl"), "rb") as file:
        assert file.read() == content


@pytest.mark.parametrize(("name", "size_bytes", "large"), [("a.txt", 2 * MIB, 0), ("sub/a.safetensors", 1000, 1), ("a.gguf", 1000, 0)])
def test_weights_are_large_by_their_name(hub, api, repo, name, size_bytes, large):
    api.upload_file(path_or_fileobj=noise(size_bytes), path_in_repo=name, repo_id=repo)
    assert hub.count("PUT /lfs/{oid}") == large
    assert (api.get_paths_info(repo, name)[0].lfs is not None) == bool(large)


def test_a_repo_says_itself_which_names_are_large(hub, api, repo):
    api.upload_file(path_or_fileobj=b"*.gguf filter=lfs -text\n", path_in_repo=".gitattributes", repo_id=repo)
    for name in ("a.gguf", "a.safetensors"):
        api.upload_file(path_or_fileobj=name.encode(), path_in_repo=name, repo_id=repo)
    assert [entry.path for entry in api.list_repo_tree(repo) if entry.lfs] == ["a.gguf"]


def test_the_size_from_which_files_are_large_can_be_set(start, connect):
    hub = start(lfs_from_bytes=100)
    api = connect(hub)
    api.create_repo("acme/rows", repo_type="dataset")
    api.upload_file(path_or_fileobj=b"x" * 100, path_in_repo="rows.jsonl", repo_id="acme/rows", repo_type="dataset")
    assert hub.count("PUT /lfs/{oid}") == 1


def test_very_large_files_come_in_parts(hub, api, repo):
    hub.multipart_from_bytes, hub.part_bytes = 2 * MIB, MIB
    content = noise(2 * MIB + 5)
    api.upload_file(path_or_fileobj=content, path_in_repo="w.safetensors", repo_id=repo)
    assert (hub.count("PUT /lfs/{oid}/{number:int}"), hub.count("POST /lfs/{oid}")) == (3, 1)
    assert hub.store.get("model", repo).files()["w.safetensors"] == content


def test_large_files_are_taken_at_signed_addresses_only_and_only_as_announced(hub, api, repo):
    oid = hashlib.sha256(b"what was announced").hexdigest()
    assert httpx2.put(f"{hub.url}/lfs/{oid}?signature=guessed", content=b"what was announced").status_code == 403
    body = {"operation": "upload", "transfers": ["basic"], "objects": [{"oid": oid, "size": 18}]}
    told = httpx2.post(f"{hub.url}/{repo}.git/info/lfs/objects/batch", json=body, headers={"Authorization": f"Bearer {hub.token}"}).json()
    href = told["objects"][0]["actions"]["upload"]["href"]
    assert httpx2.put(href, content=b"something else").status_code == 400
    assert httpx2.put(href, content=b"what was announced").status_code == 200


def test_a_commit_with_a_large_file_that_did_not_arrive_is_refused(hub, repo):
    lines = '{"key": "header", "value": {"summary": "x"}}\n{"key": "lfsFile", "value": {"path": "w", "algo": "sha256", "oid": "00", "size": 1}}\n'
    headers = {"Authorization": f"Bearer {hub.token}", "Content-Type": "application/x-ndjson"}
    reply = httpx2.post(f"{hub.url}/api/models/{repo}/commit/main", content=lines, headers=headers)
    assert (reply.status_code, "does not exist: w" in reply.json()["error"]) == (400, True)
    assert len(hub.store.get("model", repo).history()) == 1


def test_a_commit_on_what_is_no_longer_the_newest_is_refused(hub, api, repo):
    first = api.repo_info(repo).sha
    api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo, parent_commit=first)
    with pytest.raises(errors.HfHubHTTPError, match="A commit has happened since") as caught:
        api.upload_file(path_or_fileobj=b"2", path_in_repo="a", repo_id=repo, parent_commit=first)
    assert caught.value.response.status_code == 412
    assert hub.store.get("model", repo).files()["a"] == b"1"


def test_of_commits_on_the_same_parent_one_is_made(hub, api, repo):
    first = api.repo_info(repo).sha

    def commit(number):
        try:
            return api.upload_file(path_or_fileobj=str(number).encode(), path_in_repo="a", repo_id=repo, parent_commit=first).oid
        except errors.HfHubHTTPError as error:
            return error.response.status_code

    with ThreadPoolExecutor(8) as pool:
        made = [each for each in pool.map(commit, range(8)) if each != 412]
    assert made == [hub.store.get("model", repo).sha]
    assert len(hub.store.get("model", repo).history()) == 2


def test_a_commit_is_all_or_nothing(hub, api, repo):
    with pytest.raises(errors.EntryNotFoundError, match="A file with this name doesn't exist"):
        api.create_commit(repo, [CommitOperationAdd("a", b"1"), CommitOperationDelete("none")], commit_message="x")
    assert api.list_repo_files(repo) == [".gitattributes"]


def test_a_commit_needs_a_branch_that_is_there_and_a_token_that_may_write(hub, api, repo, connect):
    with pytest.raises(errors.RevisionNotFoundError):
        api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo, revision="none")
    api.create_tag(repo, tag="v1")
    headers = {"Authorization": f"Bearer {hub.token}", "Content-Type": "application/x-ndjson"}
    line = '{"key": "header", "value": {"summary": "x"}}\n'
    assert httpx2.post(f"{hub.url}/api/models/{repo}/commit/v1", content=line, headers=headers).status_code == 404
    for token, words in ((hub.token_for("ada", orgs=("acme",), role="read"), "write token"), (hub.token_for("bob"), "create_pr=1")):
        with pytest.raises(errors.HfHubHTTPError, match=words) as caught:
            connect(hub, token=token).upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo)
        assert caught.value.response.status_code == 403


def test_a_card_that_is_no_yaml_is_refused_before_anything_is_sent(hub, api, repo):
    with pytest.raises(ValueError, match="Invalid metadata"):
        api.upload_file(path_or_fileobj=b"---\nlicense: [mit\n---\n", path_in_repo="README.md", repo_id=repo)
    api.upload_file(path_or_fileobj=b"---\nlicense: mit\n---\n", path_in_repo="README.md", repo_id=repo)
    assert api.model_info(repo).card_data.license == "mit"


def test_what_a_gitignore_names_is_not_taken(hub, api, repo, tmp_path):
    for name, text in ((".gitignore", "*.log\ncache/\n"), ("a.log", "no"), ("cache/x", "no"), ("kept", "yes")):
        (tmp_path / "model" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "model" / name).write_text(text)
    api.upload_folder(repo_id=repo, folder_path=tmp_path / "model")
    assert api.list_repo_files(repo) == [".gitattributes", ".gitignore", "kept"]


def test_files_are_deleted_by_pattern(hub, api, repo):
    api.create_commit(repo, [CommitOperationAdd(f"{name}.txt", b"x") for name in "abc"], commit_message="x")
    api.delete_files(repo, ["a.txt", "b*"])
    assert api.list_repo_files(repo) == [".gitattributes", "c.txt"]


def test_branches_and_tags_stand_for_commits(hub, api, repo):
    first = api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo).oid
    api.create_tag(repo, tag="v1.0")
    api.create_branch(repo, branch="try/this", revision="v1.0")
    second = api.upload_file(path_or_fileobj=b"2", path_in_repo="a", repo_id=repo, revision="try/this").oid
    refs = api.list_repo_refs(repo, include_pull_requests=True)
    assert {ref.name: ref.target_commit for ref in refs.branches} == {"main": first, "try/this": second}
    assert {ref.name: ref.target_commit for ref in refs.tags} == {"v1.0": first}
    assert [api.repo_info(repo, revision=name).sha for name in ("v1.0", "try/this", second, second[:7])] == [first, second, second, second]
    assert [entry.path for entry in api.list_repo_tree(repo, revision="try/this")] == [".gitattributes", "a"]
    for call in (lambda: api.create_branch(repo, branch="try/this"), lambda: api.create_tag(repo, tag="v1.0")):
        with pytest.raises(errors.HfHubHTTPError) as caught:
            call()
        assert caught.value.response.status_code == 409
    api.create_branch(repo, branch="try/this", exist_ok=True)
    api.delete_branch(repo, branch="try/this")
    api.delete_tag(repo, tag="v1.0")
    assert not any(api.revision_exists(repo, name) for name in ("try/this", "v1.0"))


def test_a_history_is_squashed(hub, api, repo):
    for text in (b"1", b"2"):
        api.upload_file(path_or_fileobj=text, path_in_repo="a", repo_id=repo)
    api.super_squash_history(repo, commit_message="One")
    assert [commit.title for commit in api.list_repo_commits(repo)] == ["One"]
    assert hub.store.get("model", repo).files()["a"] == b"2"
