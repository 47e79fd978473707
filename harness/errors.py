"""The base of every error that is meant for a person."""


class ClearError(Exception):
    """An error whose text is one line that says what is wrong and what to do. Its user sees it, never a traceback."""
