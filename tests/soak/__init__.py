"""The slow proofs: hundreds of kills, and many processes on one account."""
