"""The grid world: its rules, its gymnasium environments, its observations, and what simple policies earn in it."""
