"""What clients say and read: bodies as schemas, one file a noun, and the names of what they are shown."""
