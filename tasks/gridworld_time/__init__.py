"""The grid world: an agent that steps on a target exactly at a given time."""
