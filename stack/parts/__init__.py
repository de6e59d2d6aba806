"""What a platform consists of: each server and framework, as it is configured and started here."""
