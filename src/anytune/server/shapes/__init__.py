"""The server's answers as schemas, one file a noun."""
