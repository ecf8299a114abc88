"""What the being can do: a new action is one new class in one small file here."""
