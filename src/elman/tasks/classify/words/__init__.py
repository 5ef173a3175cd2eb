"""Texts by what they hold, whatever its order: counts of tokens, n-grams of words and letters."""
