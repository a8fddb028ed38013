"""Repos of the simulated Hub, as the real client makes, finds, changes and deletes them."""

from __future__ import annotations

import json

import pytest
from huggingface_hub import errors

KINDS = ["model", "dataset", "space"]


def made(api, repo_id, kind="model", **settings):
    return api.create_repo(repo_id, repo_type=kind, space_sdk="docker" if kind == "space" else None, **settings)


def test_a_token_says_whose_it_is_and_what_it_may_do(start, connect):
    hub = start(user="grace", orgs=("navy", "yale"), role="read")
    told = connect(hub).whoami()
    assert (told["name"], [org["name"] for org in told["orgs"]], told["auth"]["accessToken"]["role"]) == ("grace", ["navy", "yale"], "read")


def test_a_wrong_token_is_refused_everywhere(hub, connect):
    hub.add("model", "acme/open", {"config.json": "{}"})
    stranger = connect(hub, token="hf_wrong")
    for call in (stranger.whoami, lambda: stranger.model_info("acme/open")):
        with pytest.raises(errors.HfHubHTTPError) as caught:
            call()
        assert caught.value.response.status_code == 401
    assert "Invalid credentials" in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_repo_is_made_looked_at_and_deleted(hub, api, kind):
    url = made(api, "acme/one", kind, private=True)
    assert (url.repo_id, url.repo_type) == ("acme/one", kind)
    told = api.repo_info("acme/one", repo_type=kind)
    assert (told.id, told.author, told.private, len(told.sha)) == ("acme/one", "acme", True, 40)
    assert api.repo_exists("acme/one", repo_type=kind)
    assert not any(api.repo_exists("acme/one", repo_type=other) for other in KINDS if other != kind)
    api.delete_repo("acme/one", repo_type=kind)
    assert not api.repo_exists("acme/one", repo_type=kind)


def test_a_repo_without_an_owner_is_the_users(hub, api):
    assert made(api, "mine").repo_id == "ada/mine"
    assert api.repo_exists("ada/mine")


def test_what_is_there_is_made_again_only_where_that_is_allowed(hub, api):
    first = made(api, "acme/one")
    with pytest.raises(errors.HfHubHTTPError, match="You already created this model repo") as caught:
        made(api, "acme/one")
    assert caught.value.response.status_code == 409
    assert made(api, "acme/one", exist_ok=True) == first


def test_nothing_is_made_for_others_or_with_a_token_that_reads(hub, connect):
    reader = hub.token_for("ada", orgs=("acme",), role="read")
    for token, owner, words in ((hub.token, "others", 'under the namespace "others"'), (reader, "acme", "write token")):
        with pytest.raises(errors.HfHubHTTPError, match=words) as caught:
            made(connect(hub, token=token), f"{owner}/one")
        assert caught.value.response.status_code == 403


def test_what_a_space_was_made_with_is_kept_and_its_secrets_are_told_to_nobody(hub, api):
    settings = {"space_hardware": "t4-small", "space_sleep_time": 300, "space_variables": [{"key": "SIZE", "value": "3"}]}
    made(api, "acme/app", "space", space_secrets=[{"key": "DOOR", "value": "open-sesame"}], **settings)
    kept = hub.store.get("space", "acme/app").created
    assert (kept["sdk"], kept["hardware"], kept["sleepTimeSeconds"]) == ("docker", "t4-small", 300)
    assert kept["secrets"] == [{"key": "DOOR", "value": "open-sesame"}]
    assert kept["variables"] == [{"key": "SIZE", "value": "3"}]
    assert api.space_info("acme/app").sdk == "docker"
    list(api.list_spaces(author="acme", full=True))
    assert "open-sesame" not in repr(hub.requests)
    assert "open-sesame" not in api.space_info("acme/app").__repr__() + repr(list(api.list_repo_tree("acme/app", repo_type="space")))


def test_no_token_is_kept_of_what_was_asked(hub, api):
    made(api, "acme/app", "space", space_secrets=[{"key": "HF_TOKEN", "value": hub.token}])
    made(api, "acme/other", "space", space_variables=[{"key": "WRONG_PLACE", "value": f"token={hub.token}"}])
    assert hub.token not in repr(hub.requests)
    assert "WRONG_PLACE" in repr(hub.requests)


def test_private_repos_are_not_there_for_others(hub, api, connect):
    hub.add("model", "acme/secret", {"config.json": "{}"}, private=True)
    hub.add("model", "acme/open", {"config.json": "{}"})
    somebody, nobody = connect(hub, token=hub.token_for("bob")), connect(hub, token=False)
    for other, status in ((somebody, 404), (nobody, 401)):
        for call in (other.model_info, other.list_repo_files, other.auth_check):
            with pytest.raises(errors.RepositoryNotFoundError) as caught:
                call("acme/secret")
            assert caught.value.response.status_code == status
        assert not other.file_exists("acme/secret", "config.json")
        assert [model.id for model in other.list_models(author="acme")] == ["acme/open"]
    assert [model.id for model in api.list_models(author="acme")] == ["acme/open", "acme/secret"]


def test_a_repo_is_made_private_and_public_again(hub, api, connect):
    made(api, "acme/one")
    nobody = connect(hub, token=False)
    for private in (True, False):
        api.update_repo_settings("acme/one", private=private)
        assert nobody.repo_exists("acme/one") is not private


def test_gated_files_are_for_those_who_were_let_in(hub, connect):
    hub.add("model", "big/lab", {"config.json": "{}"}, gated="manual")
    bob = connect(hub, token=hub.token_for("bob"))
    assert bob.model_info("big/lab").gated == "manual"
    for client, status in ((bob, 403), (connect(hub, token=False), 401)):
        for call in (lambda: client.file_exists("big/lab", "config.json"), lambda: client.auth_check("big/lab")):  # noqa: B023 - called at once
            with pytest.raises(errors.GatedRepoError, match="Access to model big/lab is restricted") as caught:
                call()
            assert caught.value.response.status_code == status
    hub.admit("model", "big/lab", "bob")
    bob.auth_check("big/lab")
    assert bob.file_exists("big/lab", "config.json")


def test_write_access_can_be_asked_for(hub, api, connect):
    hub.add("model", "acme/one", {})
    api.auth_check("acme/one", write=True)
    with pytest.raises(errors.HfHubHTTPError) as caught:
        connect(hub, token=hub.token_for("bob")).auth_check("acme/one", write=True)
    assert caught.value.response.status_code == 403


def test_listings_go_by_author_words_and_tags_over_several_pages(hub, api):
    hub.page_size = 2
    for number in range(5):
        hub.add("dataset", f"acme/rows-{number}", {"README.md": "---\ntags: [odd]\n---\n" if number % 2 else "no card"})
    hub.add("dataset", "others/rows", {})
    assert {found.id for found in api.list_datasets(author="acme")} == {f"acme/rows-{number}" for number in range(5)}
    assert len(list(api.list_datasets())) == 6
    assert [found.id for found in api.list_datasets(search="WS-3")] == ["acme/rows-3"]
    assert [found.id for found in api.list_datasets(filter="odd")] == ["acme/rows-3", "acme/rows-1"]
    assert len(list(api.list_datasets(author="acme", limit=1))) == 1
    assert list(api.list_spaces(author="acme")) == []


def test_a_card_gives_tags_and_metadata(hub, api):
    card = "---\nlicense: mit\nbase_model: acme/base\nlibrary_name: peft\ntags: [tiny]\n---\n# Tiny\n"
    hub.add("model", "acme/one", {"README.md": card, "config.json": "{}"})
    told = api.model_info("acme/one")
    assert {"tiny", "peft", "base_model:acme/base", "license:mit"} <= set(told.tags)
    assert told.card_data.base_model == "acme/base"
    assert (told.library_name, [sibling.rfilename for sibling in told.siblings]) == ("peft", ["README.md", "config.json"])


def test_a_tree_is_listed_by_folder_and_over_several_pages(hub, api):
    hub.page_size = 3
    hub.add("model", "acme/one", {f"checkpoints/checkpoint-{n}/{name}": "x" for n in (1, 2) for name in ("a", "b")} | {"config.json": "{}"})
    assert [entry.path for entry in api.list_repo_tree("acme/one")] == ["checkpoints", "config.json"]
    inside = [entry.path for entry in api.list_repo_tree("acme/one", "checkpoints/checkpoint-2")]
    assert inside == ["checkpoints/checkpoint-2/a", "checkpoints/checkpoint-2/b"]
    assert len(api.list_repo_files("acme/one")) == 5
    with pytest.raises(errors.EntryNotFoundError):
        list(api.list_repo_tree("acme/one", "nowhere"))


def test_paths_are_told_of_and_those_that_are_not_there_left_out(hub, api):
    hub.add("dataset", "acme/rows", {"data/train.jsonl": "{}\n", "weights.safetensors": b"w" * (1 << 20)})
    told = api.get_paths_info("acme/rows", ["data", "weights.safetensors", "none", "data/train.jsonl"], repo_type="dataset", expand=True)
    assert [entry.path for entry in told] == ["data", "weights.safetensors", "data/train.jsonl"]
    assert told[1].lfs.size == 1 << 20
    assert told[2].lfs is None
    assert all(entry.last_commit.oid == hub.store.get("dataset", "acme/rows").sha for entry in told)


def test_a_file_says_which_commit_changed_it_last(hub, api):
    made(api, "acme/one")
    first = api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id="acme/one")
    api.upload_file(path_or_fileobj=b"2", path_in_repo="b", repo_id="acme/one")
    (told,) = api.get_paths_info("acme/one", "a", expand=True)
    assert told.last_commit.oid == first.oid


@pytest.mark.parametrize("kind", KINDS)
def test_a_revision_that_is_not_there_is_named(hub, api, kind):
    hub.add(kind, "acme/one", {"a": "1"})
    for call in (api.repo_info, api.list_repo_files):
        with pytest.raises(errors.RevisionNotFoundError, match="never"):
            call("acme/one", revision="never", repo_type=kind)
    assert not api.revision_exists("acme/one", "never", repo_type=kind)


def test_agents_are_not_listed(hub):
    import httpx2

    assert httpx2.get(f"{hub.url}/api/agent-harnesses").status_code == 404


def test_another_process_finds_the_hub_by_its_environment(hub):
    told = hub.environment()
    assert told == {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def test_a_folder_of_this_machine_is_placed_as_it_is(hub, api, tmp_path):
    (tmp_path / "model" / "sub").mkdir(parents=True)
    (tmp_path / "model" / "config.json").write_text(json.dumps({"hidden_size": 8}))
    (tmp_path / "model" / "sub" / "x").write_bytes(b"x")
    first = hub.add("model", "acme/one", tmp_path / "model").sha
    assert api.list_repo_files("acme/one") == ["config.json", "sub/x"]
    hub.add("model", "acme/one", {"other": "y"})
    assert api.list_repo_files("acme/one") == ["other"]
    assert api.list_repo_files("acme/one", revision=first) == ["config.json", "sub/x"]


def test_those_who_listen_hear_of_new_changed_and_deleted_repos(hub, api):
    heard = []
    for word in ("create", "commit", "delete"):
        getattr(hub.store, f"on_{word}").append(lambda repo, word=word: heard.append((word, repo.repo_id, sorted(repo.files()))))
    made(api, "acme/app", "space")
    api.upload_file(path_or_fileobj=b"FROM x", path_in_repo="Dockerfile", repo_id="acme/app", repo_type="space")
    api.create_branch("acme/app", branch="other", repo_type="space")
    api.upload_file(path_or_fileobj=b"FROM y", path_in_repo="Dockerfile", repo_id="acme/app", repo_type="space", revision="other")
    api.delete_repo("acme/app", repo_type="space")
    whole = [".gitattributes", "Dockerfile"]
    assert heard == [("create", "acme/app", whole[:1]), ("commit", "acme/app", whole), ("delete", "acme/app", whole)]
