"""Training one run: in one process or several, interrupted and resumed."""
