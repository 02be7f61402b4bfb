"""The agent: its network, its episodes, the rollouts that it learns from, and its evaluation."""
