"""Which role reaches which tool, and changing that: pages, API and the table as a file."""
