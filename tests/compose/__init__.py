"""The containers, tried with a real engine: `make compose-test`."""
