"""Where the being speaks in public: an outbox, and one adapter per channel."""
