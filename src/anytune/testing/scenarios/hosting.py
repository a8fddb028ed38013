"""B35-B42: models answer."""

from __future__ import annotations

import functools
import ssl
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from anytune.errors import NotFound, Unsupported
from anytune.infer import credential
from anytune.retry import translated
from anytune.testing.scenarios.needs import needs
from anytune.testing.scenarios.observe import UNKNOWN_ID

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletionMessageParam

    from anytune.testing.kit import BackendKit
    from anytune.values import Address

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "2 cups of basil"}]


class Hosting:
    """deploy, poll_deployment, undeploy and address."""

    @needs("deploy")
    def test_b35_the_same_deployment_is_made_once(self, kit: BackendKit) -> None:
        """B35: Deploying with the same ref again gives the same host.

        Also through another instance.
        """
        order, host = kit.deployed()
        assert kit.backend.deploy(order).id == host.id
        assert kit.make().deploy(order).id == host.id

    @needs("deploy")
    def test_b36_a_ready_deployment_answers(self, kit: BackendKit) -> None:
        """B36: A deployment that is ready answers the `openai` client.

        With a text, and counts of tokens.
        """
        _, host = kit.deployed()
        assert host.address is not None, "It is ready and has no address."
        _assert_answers(kit, host.address)

    @needs("deploy")
    def test_b37_a_ready_deployment_streams(self, kit: BackendKit) -> None:
        """B37: It streams, and streamed pieces make the whole answer.

        With temperature 0, both ways give the same text.
        """
        _, host = kit.deployed()
        assert host.address is not None
        with client_of(host.address, kit.timeout_s) as client:
            ask = {"model": host.address.model, "messages": QUESTION, "max_tokens": kit.max_tokens, "temperature": 0}
            whole = client.chat.completions.create(**ask).choices[0].message.content  # type: ignore[call-overload]
            chunks = client.chat.completions.create(**ask, stream=True)  # type: ignore[call-overload]
            pieces = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert pieces == whole

    @needs("deploy")
    def test_b38_a_wrong_token_is_refused(self, kit: BackendKit) -> None:
        """B38: Where the address has a credential, another one is refused.

        With 401 or 403.
        """
        import openai  # noqa: PLC0415 - heavy

        _, host = kit.deployed()
        assert host.address is not None
        if host.address.credential is None and host.address.token is None:
            pytest.skip("The address has no credential.")
        wrong = host.address.model_copy(update={"credential": SecretStr("wrong-token-000000"), "token": None})
        with client_of(wrong, kit.timeout_s) as client, pytest.raises((openai.AuthenticationError, openai.PermissionDeniedError)):
            client.chat.completions.create(model=wrong.model, messages=QUESTION, max_tokens=1)

    @needs("deploy")
    def test_b39_an_unknown_deployment_is_not_there(self, kit: BackendKit) -> None:
        """B39: A deployment that does not exist is `gone` or `NotFound`.

        Never `unknown`, `failed` or `ready`.
        """
        try:
            state = kit.backend.poll_deployment(UNKNOWN_ID).state
        except Exception as error:  # noqa: BLE001 - translated, as core does
            assert isinstance(translated(error, kit.backend), NotFound), repr(error)  # noqa: PT017 - both ways are right
        else:
            assert state == "gone"

    @needs("deploy")
    def test_b40_an_undeployed_host_is_gone(self, kit: BackendKit) -> None:
        """B40: A deployment that was ended is confirmed `gone`, and answers no more.

        `gone` is not said while the address still answers.
        """
        import openai  # noqa: PLC0415 - heavy

        _, host = kit.deployed()
        assert host.address is not None
        with client_of(host.address, kit.timeout_s) as client:
            client.chat.completions.create(model=host.address.model, messages=QUESTION, max_tokens=1)
            kit.undeployed()
            with pytest.raises(openai.APIError):
                client.chat.completions.create(model=host.address.model, messages=QUESTION, max_tokens=1)

    @needs("deploy")
    def test_b41_undeploying_again_is_no_error(self, kit: BackendKit) -> None:
        """B41: Ending a deployment again is no error.

        Core repeats it until the host is confirmed gone.
        """
        _, host = kit.deployed()
        kit.undeployed()
        kit.backend.undeploy(host.id)
        assert kit.backend.poll_deployment(host.id).state == "gone"

    def test_b42_an_address_without_deployment_answers_or_is_refused(self, kit: BackendKit) -> None:
        """B42: `address` gives one that answers, or refuses with `Unsupported`.

        For hosts where a tuned model is served at once.
        """
        model = kit.finished().model
        assert model is not None
        try:
            address = kit.backend.address(model)
        except Unsupported as error:
            assert error.backend == kit.backend.name  # noqa: PT017 - both ways are right
        else:
            _assert_answers(kit, address)


def _assert_answers(kit: BackendKit, address: Address) -> None:
    with client_of(address, kit.timeout_s) as client:
        reply = client.chat.completions.create(model=address.model, messages=QUESTION, max_tokens=kit.max_tokens)
    assert reply.choices[0].message.content
    assert reply.usage is not None
    assert reply.usage.prompt_tokens > 0


def client_of(address: Address, timeout_s: float) -> OpenAI:
    """Give a client that speaks to an address, without retries."""
    import openai  # noqa: PLC0415 - heavy

    http = openai.DefaultHttpxClient(verify=_trust())
    return openai.OpenAI(base_url=address.base_url, api_key=credential(address), max_retries=0, timeout=timeout_s, http_client=http)


@functools.cache
def _trust() -> ssl.SSLContext:
    """Read the system's certificates once: it takes 30 ms of CPU (measured 2026-11-22), and every client would do it."""
    return ssl.create_default_context()
