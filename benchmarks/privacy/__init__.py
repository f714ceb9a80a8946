"""Which faces a covered video leaves open, what it covers needlessly, and what that costs; ours beside deface."""
