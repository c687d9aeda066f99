"""What the everything server is made of: how it asks its client, its tools, its tasks."""
