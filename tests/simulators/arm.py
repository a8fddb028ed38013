"""What the tests of the simulated Azure Resource Manager share: Microsoft's client bound to it, and bare requests."""

from __future__ import annotations

import httpx2
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient
from azure.mgmt.cognitiveservices.models import Deployment, DeploymentModel, DeploymentProperties, PatchResourceTagsAndSku, Sku
from tests.simulators.azure import TUNED

DAY_S = 86_400.0


class Arm:
    """Microsoft's client, bound to a simulator; plain HTTP has to be allowed call by call."""

    def __init__(self, azure, **settings):
        self.azure = azure
        self.client = CognitiveServicesManagementClient(
            azure.credential(lives_s=40 * DAY_S),
            azure.subscription_id,
            base_url=azure.arm_url,
            polling_interval=0.01,
            retry_total=0,
            **settings,
        )
        self.where = (azure.resource_group, azure.resource)

    def put(self, name="recipes", model=TUNED, *, sku="Standard", capacity=10, tags=None):
        body = Deployment(
            sku=Sku(name=sku, capacity=capacity),
            properties=DeploymentProperties(model=DeploymentModel(format="OpenAI", name=model, version="1")),
            tags=tags,
        )
        return self.client.deployments.begin_create_or_update(*self.where, name, body, enforce_https=False).result(timeout=10)

    def patch(self, name="recipes", **changes):
        return self.client.deployments.begin_update(*self.where, name, PatchResourceTagsAndSku(**changes), enforce_https=False).result(10)

    def get(self, name="recipes"):
        return self.client.deployments.get(*self.where, name, enforce_https=False)

    def names(self):
        return [one.name for one in self.client.deployments.list(*self.where, enforce_https=False)]

    def delete(self, name="recipes"):
        self.client.deployments.begin_delete(*self.where, name, enforce_https=False).result(timeout=10)

    def close(self):
        self.client.close()


def ask(azure, method, tail="/deployments/recipes", *, version="2025-09-01", token=None, json=None, account=None):
    query = {} if version is None else {"api-version": version}
    headers = {} if token == "" else {"Authorization": f"Bearer {token or azure.entra_token}"}
    url = f"{azure.arm_url}{account or azure.account_id}{tail}"
    return httpx2.request(method, url, params=query, headers=headers, json=json)


def wanted(model=TUNED, *, sku="Standard", capacity=10, version="1", form="OpenAI"):
    return {
        "sku": {"name": sku, "capacity": capacity},
        "properties": {"model": {"format": form, "name": model, "version": version}},
    }
