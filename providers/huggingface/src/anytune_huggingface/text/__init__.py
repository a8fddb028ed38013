"""From rows of the data to the text and tokens that a model sees."""
