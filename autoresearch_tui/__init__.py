"""The window: it shows sessions and passes on what the person asks for. It decides nothing."""
