"""Ollama: models on the keeper's own machine, so nothing costs anything and no key is needed."""

from ai.llm.dialects.base import Dialect

OLLAMA = Dialect(
    name="ollama",
    base_url="http://localhost:11434/v1",
    default_model="llama3.2",
    needs_key=False,
    failures_are_free=True,
    everything_free=True,
)
