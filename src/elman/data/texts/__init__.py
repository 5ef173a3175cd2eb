"""Texts as tokens: vocabularies, scripts, segmentation, word vectors."""
