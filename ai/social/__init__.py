"""Where the being speaks in public: one adapter per channel."""
