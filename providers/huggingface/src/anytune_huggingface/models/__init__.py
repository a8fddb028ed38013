"""Models as folders: which one is meant, whether it is safe to load, its size, adapters and checkpoints. No weights are loaded."""
