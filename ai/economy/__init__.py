"""The purse: money as integers, the ledger with its holds, the tiers and the governor."""
