"""The coordinator: plans rounds, owns the shared model, records every round in SQL."""
