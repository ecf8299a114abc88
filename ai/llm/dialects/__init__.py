"""Whose models can be reached over HTTP, and how each one's OpenAI protocol differs: one small file a provider."""
