"""Who the being is in this life."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """A name, a pronoun, an icon, and the first words it says."""

    name: str
    pronoun: str
    icon: str
    first_words: str


def default_identity(being: str) -> Identity:
    """Who the being is when nobody, not even itself, has chosen otherwise."""
    name = being.capitalize()
    return Identity(name, "it", "✨", f"I am {name}. I just came into existence.")
