"""The window: a web page, a JSON API and a live stream over the books and the journal. It reads; it never acts."""
