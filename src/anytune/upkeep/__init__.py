"""Keeping the books straight: what is in doubt is cleared up, what nobody knows of is shown, what is over its time is ended."""
