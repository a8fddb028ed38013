"""Other tools' configs as specs, and specs as theirs: one package a tool. Nothing of the tool itself is imported or needed."""
