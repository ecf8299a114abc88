"""Language models behind one Protocol, and the router that holds, calls and settles."""
