"""A run's directory: begun, locked, recorded, checkpointed, resumed."""
