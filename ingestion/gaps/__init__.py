"""The gap ledger: for every expected minute a bar or a reason, and a fetch of what can be repaired."""
