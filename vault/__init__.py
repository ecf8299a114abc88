"""The one door through which a secret enters, and the filter that keeps it from leaving."""

from vault.fingerprint import fingerprint
from vault.loader import SECRETS, Secrets, VaultError, load
from vault.redaction import Redactor

__all__ = ["SECRETS", "Redactor", "Secrets", "VaultError", "fingerprint", "load"]
