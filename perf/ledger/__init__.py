"""A busy table with duplicates, and the migrations that make its key unique: docs/migrations.md."""
