"""Sentences with a label for every token: CoNLL tables, and other tables of tokens or of lists."""
