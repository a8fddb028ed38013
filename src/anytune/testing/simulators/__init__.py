"""Providers that cannot be reached from a test, simulated over real HTTP on loopback: OpenAI, Azure's two planes, the Hugging Face Hub."""
