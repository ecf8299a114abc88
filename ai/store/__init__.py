"""One SQLite database: the books, the journal, the lives. Everything that lasts is a row here."""
