"""The being: a daemon that thinks on a timer, pays for every thought and tells the truth about it."""

__version__ = "0.1.0"
