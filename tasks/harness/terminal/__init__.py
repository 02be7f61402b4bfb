"""What people see while a command runs: tables, progress, text made safe to show."""
