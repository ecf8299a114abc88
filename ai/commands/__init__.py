"""The commands of `alive`, a file a family."""
