"""Models as folders: which is meant, whether it is safe to load, its size, adapters, how it is published. Only `merge` loads weights."""
