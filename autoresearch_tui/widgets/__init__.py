"""Widgets: each shows a part of the state that it is given, and does no I/O."""
