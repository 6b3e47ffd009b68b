"""What config.json says: names, numbers, families and their positions. No weights and no engine."""
