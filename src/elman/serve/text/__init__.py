"""Texts that are written for clients: what they ask, and the answers as OpenAI has them."""
