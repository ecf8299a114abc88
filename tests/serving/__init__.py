"""What every protocol-true test server stands on: HTTP on loopback in a thread, and its OpenAPI as a judge."""
