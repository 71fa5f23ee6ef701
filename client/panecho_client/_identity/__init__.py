"""Names studies and files in outputs: by their identifiers or by pseudonyms."""
