"""Speed, as scripts that print ratios."""
