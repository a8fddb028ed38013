"""The Hugging Face Hub and its cloud over real HTTP on loopback: repos, files, Jobs, Spaces and Inference Endpoints."""

from anytune.testing.simulators.hub.hub import HubSimulator
from anytune.testing.simulators.hub.process import spoken_to

__all__ = ["HubSimulator", "spoken_to"]
