"""Signed webhooks: owed in the book, sent until they arrive."""
