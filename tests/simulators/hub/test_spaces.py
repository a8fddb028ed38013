"""What runs for Spaces of the simulated Hub, driven by the real client."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request

import psutil
import pytest

from anytune.testing.simulators.hub.dockerfiles import BadDockerfile, read_dockerfile

pytest.importorskip("huggingface_hub")
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RepositoryNotFoundError

README = "---\nsdk: docker\napp_port: {port}\n---\n"
APP = """
import http.server, json, os, sys

class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"env": dict(os.environ), "files": sorted(os.listdir("."))}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass

print("listening", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1] if len(sys.argv) > 1 else os.environ["PORT"])), App).serve_forever()
"""
DOCKERFILE = """
# what a Space usually has
FROM python:3.12
ENV GREETING="good day" \\
    BOTH=$PATH:here
WORKDIR /app
COPY . .
RUN pip install nothing && \\
    echo done
CMD ["python", "app.py"]
"""


def until(true, within_s=20):
    deadline = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
    return found


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def hub(start):
    return start(build_s=0.05)


@pytest.fixture
def make(api):
    def space(dockerfile=DOCKERFILE, app=APP, *, port=7860, name="ada/app", **more):
        api.create_repo(name, repo_type="space", space_sdk="docker", private=True, **more)
        files = {"README.md": README.format(port=port), "Dockerfile": dockerfile, "app.py": app}
        operations = [CommitOperationAdd(path, content.encode()) for path, content in files.items()]
        api.create_commit(name, operations, repo_type="space", commit_message="app")
        return name

    return space


@pytest.fixture
def wait(api):
    def settled(name="ada/app"):
        return api.wait_for_space(name, timeout=30, poll_interval=0.05)

    return settled


def ask(runtime):
    domain = runtime.raw["domains"][0]["domain"]
    with urllib.request.urlopen(f"http://{domain}/", timeout=10) as reply:
        return json.load(reply)


def test_a_space_without_a_dockerfile_has_no_app(api):
    api.create_repo("ada/empty", repo_type="space", space_sdk="docker")
    assert api.get_space_runtime("ada/empty").stage == "NO_APP_FILE"


def test_a_docker_space_builds_starts_and_answers(api, make, wait):
    name = make()
    assert api.get_space_runtime(name).stage in {"BUILDING", "APP_STARTING"}
    runtime = wait()
    assert (runtime.stage, runtime.hardware, runtime.requested_hardware) == ("RUNNING", "cpu-basic", "cpu-basic")
    assert runtime.sleep_time == 172800
    assert runtime.raw["replicas"] == {"current": 1, "requested": 1}
    seen = ask(runtime)
    assert {"Dockerfile", "README.md", "app.py"} <= set(seen["files"])
    assert seen["env"]["SPACE_ID"] == "ada/app"
    assert seen["env"]["GREETING"] == "good day"
    assert seen["env"]["BOTH"].endswith(":here")
    assert "HF_TOKEN" not in seen["env"]


def test_the_runtime_is_told_with_the_repo(api, make, wait):
    make()
    wait()
    assert api.space_info("ada/app").runtime.stage == "RUNNING"


def test_the_port_of_the_readme_is_replaced_where_the_command_names_it(make, wait):
    make(dockerfile='FROM scratch\nCMD ["python", "app.py", "7777"]\n', port=7777)
    runtime = wait()
    assert runtime.stage == "RUNNING"
    assert runtime.raw["domains"][0]["domain"] != "127.0.0.1:7777"
    assert ask(runtime)["files"]


def test_two_spaces_run_beside_each_other(api, make, wait):
    make(name="ada/one"), make(name="ada/two")
    first, second = wait("ada/one"), wait("ada/two")
    assert ask(first)["env"]["SPACE_ID"] == "ada/one"
    assert ask(second)["env"]["SPACE_ID"] == "ada/two"


def test_variables_and_secrets_become_the_environment(api, make, wait):
    make(space_secrets=[{"key": "HF_TOKEN", "value": "hf_very-secret"}], space_variables=[{"key": "ROLE", "value": "trainer"}])
    env = ask(wait())["env"]
    assert (env["HF_TOKEN"], env["ROLE"]) == ("hf_very-secret", "trainer")


def test_secrets_are_listed_without_their_values(api, hub, make):
    make()
    api.add_space_secret("ada/app", "PASS", "extremely-secret", description="for the door")
    listed = api.get_space_secrets("ada/app")
    assert (list(listed), listed["PASS"].description) == (["PASS"], "for the door")
    assert "extremely-secret" not in repr([hub.requests, hub.spaces, listed, api.get_space_runtime("ada/app").raw])
    api.delete_space_secret("ada/app", "PASS")
    assert not api.get_space_secrets("ada/app")


def test_variables_are_added_listed_and_deleted(api, make):
    make()
    assert api.add_space_variable("ada/app", "ROLE", "trainer")["ROLE"].value == "trainer"
    assert api.get_space_variables("ada/app")["ROLE"].value == "trainer"
    assert not api.delete_space_variable("ada/app", "ROLE")
    with pytest.raises(BadRequestError):
        api.delete_space_variable("ada/app", "ROLE")


def test_a_new_variable_starts_the_app_anew(api, make, wait):
    make()
    assert "ROLE" not in ask(wait())["env"]
    api.add_space_variable("ada/app", "ROLE", "trainer")
    assert ask(wait())["env"]["ROLE"] == "trainer"


def test_a_paused_space_stays_so_until_it_is_restarted(api, hub, make, wait):
    make()
    wait()
    pid = hub.spaces["ada/app"].machine.pid
    assert api.pause_space("ada/app").stage == "PAUSED"
    assert gone(pid)
    api.upload_file(path_or_fileobj=b"", path_in_repo="more", repo_id="ada/app", repo_type="space")
    assert api.get_space_runtime("ada/app").stage == "PAUSED"
    api.restart_space("ada/app", factory_reboot=True)
    assert wait().stage == "RUNNING"


def test_a_commit_builds_anew(api, hub, make, wait):
    make()
    wait()
    pid = hub.spaces["ada/app"].machine.pid
    api.upload_file(path_or_fileobj=b"", path_in_repo="more", repo_id="ada/app", repo_type="space")
    assert "more" in ask(wait())["files"]
    assert gone(pid)


def test_a_space_sleeps_after_its_time_on_hardware_that_costs(api, hub, make, wait):
    make(space_hardware="t4-small", space_sleep_time=1)
    assert wait().hardware == "t4-small"
    pid = hub.spaces["ada/app"].machine.pid
    until(lambda: api.get_space_runtime("ada/app").stage == "SLEEPING")
    until(lambda: gone(pid))
    api.restart_space("ada/app")
    assert wait().stage == "RUNNING"


def test_the_sleep_time_of_free_hardware_cannot_be_set(api, make):
    make()
    with pytest.warns(UserWarning, match="not configurable"):
        assert api.set_space_sleep_time("ada/app", 60).sleep_time == 172800


def test_other_hardware_is_asked_for(api, make, wait):
    make()
    wait()
    assert api.request_space_hardware("ada/app", "t4-small", sleep_time=3600).requested_hardware == "t4-small"
    runtime = wait()
    assert (runtime.hardware, runtime.sleep_time) == ("t4-small", 3600)
    with pytest.raises(BadRequestError, match="flavor"):
        api.request_space_hardware("ada/app", "abacus")


def test_who_cannot_pay_gets_no_hardware_that_costs(api, hub, make, wait):
    make()
    hub.credit = False
    with pytest.raises(HfHubHTTPError) as refused:
        api.request_space_hardware("ada/app", "t4-small")
    assert refused.value.response.status_code == 402
    with pytest.raises(HfHubHTTPError):
        api.create_repo("ada/other", repo_type="space", space_sdk="docker", space_hardware="t4-small")
    assert hub.store.get("space", "ada/other") is None
    assert wait().stage == "RUNNING"


def test_logs_of_build_and_app_are_given(api, make, wait):
    make()
    wait()
    assert "--> FROM python:3.12" in list(api.fetch_space_logs("ada/app", build=True))
    following = iter(api.fetch_space_logs("ada/app", follow=True))
    assert next(following).startswith("===== Application Startup")
    assert next(following) == "listening"
    api.pause_space("ada/app")
    assert not list(following)


@pytest.mark.parametrize(("end", "code"), [("raise SystemExit(4)", 4), ("pass", 0)])
def test_an_app_that_ends_is_a_runtime_error(make, wait, end, code):
    make(app=end)
    runtime = wait()
    assert runtime.stage == "RUNTIME_ERROR"
    assert f"Exit code: {code}" in runtime.raw["errorMessage"]


def test_an_app_that_ends_later_is_a_runtime_error_too(api, hub, make, wait):
    make()
    assert wait().stage == "RUNNING"
    psutil.Process(hub.spaces["ada/app"].machine.pid).kill()
    until(lambda: api.get_space_runtime("ada/app").stage == "RUNTIME_ERROR")


def test_an_app_that_never_answers_is_given_up(start, connect):
    hub = start(build_s=0.0, launch_timeout_s=0.5)
    files = {"README.md": README.format(port=7860), "Dockerfile": 'FROM a\nCMD ["python", "-c", "import time; time.sleep(600)"]'}
    hub.add("space", "ada/mute", files)
    runtime = connect(hub).wait_for_space("ada/mute", timeout=30, poll_interval=0.05)
    assert (runtime.stage, "not healthy" in runtime.raw["errorMessage"]) == ("RUNTIME_ERROR", True)


@pytest.mark.parametrize("dockerfile", ["FROM a\n", 'CMD ["python"]\n', "FROM a\nDANCE\n", "FROM a\nCMD [python]\n"])
def test_a_dockerfile_that_cannot_be_read_is_a_build_error(make, wait, dockerfile):
    make(dockerfile=dockerfile)
    assert wait().stage == "BUILD_ERROR"


def test_a_deleted_space_ends_with_its_app(api, hub, make, wait):
    make()
    domain = wait().raw["domains"][0]["domain"]
    pid = hub.spaces["ada/app"].machine.pid
    api.delete_repo("ada/app", repo_type="space")
    assert gone(pid)
    with pytest.raises(RepositoryNotFoundError):
        api.get_space_runtime("ada/app")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://{domain}/", timeout=5)


def test_somebody_else_neither_sees_nor_stops_a_private_space(connect, hub, make):
    make()
    stranger = connect(hub, token=hub.token_for("bob"))
    with pytest.raises(RepositoryNotFoundError):
        stranger.get_space_runtime("ada/app")
    with pytest.raises(RepositoryNotFoundError):
        stranger.pause_space("ada/app")


def test_hardware_has_prices(api):
    hardware = {each.name: each.unit_cost_usd for each in api.list_spaces_hardware()}
    assert hardware["cpu-basic"] == 0
    assert hardware["t4-small"] == pytest.approx(0.4 / 60, rel=1e-3)


def test_closing_ends_every_space(start, connect):
    before = set(threading.enumerate())
    hub = start(build_s=0.0)
    hub.add("space", "ada/app", {"README.md": README.format(port=7860), "Dockerfile": DOCKERFILE, "app.py": APP})
    connect(hub).wait_for_space("ada/app", timeout=30, poll_interval=0.05)
    pid = hub.spaces["ada/app"].machine.pid
    hub.close()
    assert gone(pid)
    assert not [each for each in threading.enumerate() if each not in before and each.name.startswith(("space-", "machine"))]


def test_the_last_command_of_a_dockerfile_counts():
    image = read_dockerfile('FROM a\nENTRYPOINT ["run"]\nCMD ["one"]\nCMD ["two", "three"]\n', {})
    assert image.command == ("run", "two", "three")


def test_a_command_that_is_a_text_runs_in_a_shell():
    assert read_dockerfile("FROM a\ncmd exec python app.py\n", {}).command == ("/bin/sh", "-c", "exec python app.py")


def test_documents_within_a_dockerfile_are_passed_over():
    image = read_dockerfile('FROM a\nRUN <<EOF\nDANCE\nEOF\nENV OLD the rest of it\nCMD ["x"]\n', {})
    assert image.env == {"OLD": "the rest of it"}


def test_a_broken_line_is_named():
    with pytest.raises(BadDockerfile, match="line 3"):
        read_dockerfile("FROM a\n\nDANCE all night\n", {})
