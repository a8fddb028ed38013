"""The Hugging Face Hub and its cloud over real HTTP on loopback: repos, files, Jobs, Spaces and Inference Endpoints."""

from anytune.testing.simulators.hub.hub import HubSimulator

__all__ = ["HubSimulator"]
