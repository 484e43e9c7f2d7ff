"""What need not be told: each file is one stage with one reason."""
