"""Arguments of each command, by subject. Nothing heavy is imported here."""
