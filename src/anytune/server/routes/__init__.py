"""The HTTP API, one file a noun. A route checks, asks the book, and shapes an answer."""
