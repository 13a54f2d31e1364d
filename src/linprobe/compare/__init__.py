"""What is compared, and how one of it is chosen."""
