"""Terminal output: tables, progress, and text made safe to print."""
