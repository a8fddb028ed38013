"""`anytune push`: what is published, who can read it, and what is left alone."""

from __future__ import annotations

import pytest

from anytune.testing.store import Store


@pytest.fixture
def trained(cli):
    """Two jobs that succeeded, `minutes` and `hours`."""
    for name in ("minutes", "hours"):
        cli("run", cli.spec(name))
        assert cli.code == 0
    return cli


def held(cli, repo):
    """The repository, as the hub has it."""
    return Store(cli.folder / "trial.json").read().repos[repo]


def test_a_jobs_model_is_published_privately_with_its_card(trained):
    pushed = trained.json("push", "minutes", "ann/minutes")["pushed"]
    assert trained.code == 0
    assert (pushed["repo"], pushed["private"]) == ("ann/minutes", True)
    assert "README.md" in pushed["files"]
    assert held(trained, "ann/minutes").private


def test_the_address_is_the_result_and_the_rest_a_remark(trained):
    assert trained("push", "minutes", "ann/minutes") == "https://hub.invalid/ann/minutes\n"
    assert "private" in trained.err


def test_publishing_again_gives_the_same_commit(trained):
    first, second = (trained.json("push", "minutes", "ann/minutes")["pushed"]["revision"] for _ in range(2))
    assert first == second
    assert len(held(trained, "ann/minutes").branches["main"]) == 1


def test_public_makes_a_new_repository_public(trained):
    assert trained.json("push", "minutes", "ann/minutes", "--public")["pushed"]["private"] is False


def test_public_leaves_a_private_repository_private_and_says_so(trained):
    trained("push", "minutes", "ann/minutes")
    trained("push", "minutes", "ann/minutes", "--public")
    assert trained.code == 0
    assert "still is" in trained.err
    assert held(trained, "ann/minutes").private


def test_a_public_repository_is_refused_a_model_that_should_be_private(trained):
    trained("push", "minutes", "ann/minutes", "--public")
    trained("push", "minutes", "ann/minutes")
    assert trained.code == 3
    assert "--public" in trained.err


def test_another_model_is_replaced_only_where_that_is_said(trained):
    trained("push", "minutes", "ann/model")
    trained("push", "hours", "ann/model")
    assert trained.code == 3
    assert "--replace" in trained.err
    trained("push", "hours", "ann/model", "--replace")
    assert trained.code == 0
    assert [commit.model for commit in held(trained, "ann/model").branches["main"]] == ["memory:job-000001", "memory:job-000002"]


def test_a_model_without_an_adapter_has_none_to_publish(trained):
    trained("push", "minutes", "ann/minutes", "--adapter")
    assert trained.code == 2
    assert "no adapter" in trained.err


def test_branch_and_message_are_the_commits(trained):
    trained("push", "minutes", "ann/minutes", "--branch", "tried", "--message", "Second try")
    branches = held(trained, "ann/minutes").branches
    assert [(name, commit.message) for name, commits in branches.items() for commit in commits] == [("tried", "Second try")]


def test_a_word_that_is_no_repository_is_refused(trained):
    trained("push", "minutes", "minutes")
    assert trained.code == 2
    assert "owner/name" in trained.err


def test_a_backend_that_publishes_nothing_says_so(cli, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789")
    cli("push", "ft:gpt-4.1-mini-2025-04-14:org::abc", "ann/minutes", "-b", "openai")
    assert cli.code == 3
    assert "cannot push" in cli.err
