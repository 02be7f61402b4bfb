"""Many runs: here, several at a time, or on a cluster."""
