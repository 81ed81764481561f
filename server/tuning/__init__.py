"""What was found out about models and tenants, and is read at the next start."""
