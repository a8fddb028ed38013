"""Which files go to large file storage by their name: the `.gitattributes` of a repo."""

from __future__ import annotations

from fnmatch import fnmatch

__all__ = ["ATTRIBUTES", "named_large"]

_ENDINGS = (
    *("7z", "arrow", "bin", "bz2", "ckpt", "ftz", "gz", "h5", "joblib", "lfs.*", "mlmodel", "model", "msgpack", "npy", "npz", "onnx", "ot"),
    *("parquet", "pb", "pickle", "pkl", "pt", "pth", "rar", "safetensors", "tar", "tar.*", "tflite", "tgz", "wasm", "xz", "zip", "zst"),
)

ATTRIBUTES = "".join(f"*.{ending} filter=lfs diff=lfs merge=lfs -text\n" for ending in _ENDINGS).encode()
"""What a new repo begins with. `datasets` 5.2 deletes a Parquet file between its upload and its commit, however small it is (seen
2026-11-23): what is named here is never sent with the commit itself. The list is that of public repos from memory, not confirmed."""


def named_large(path: str, attributes: bytes = ATTRIBUTES) -> bool:
    """Tell whether a file is large by its name."""
    name = path.rpartition("/")[2]
    for line in attributes.decode(errors="replace").splitlines():
        pattern, *words = line.split() or [""]
        if "filter=lfs" in words and (fnmatch(path, pattern) or ("/" not in pattern and fnmatch(name, pattern))):
            return True
    return False
