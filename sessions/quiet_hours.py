"""Quiet hours. Pure."""

from datetime import datetime
from typing import Self


class QuietHours:
    """When nothing is typed."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read."""
        return cls()

    def remaining_s(self, local: datetime) -> float | None:
        """Seconds until they end."""
        return None
