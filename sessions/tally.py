"""The sum of what an agent's logs say, however often they say it. Pure.

The sums are kept for each model, so that a price can be set later.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from harness.result import RecordError
from sessions.usage import Usage

# Of one log; a model's answer is repeated within a few entries.
_MOST_IDS: Final = 2000
_KEPT_IDS: Final = 200
_MOST_MODELS: Final = 50


class Counted:
    """What one log has been counted for, so that an entry that comes again, or grows, is counted once."""

    def __init__(self, kept: Any = None) -> None:
        """Go on from what `to_dict` gave."""
        self.by_id: dict[str, tuple[str, Usage]] = {}
        for name, one in kept.items() if isinstance(kept, dict) else ():
            model, usage = one if isinstance(one, list) and len(one) == 2 else ("", None)
            try:
                self.by_id[name] = (str(model), Usage.from_dict(usage))
            except RecordError:
                continue

    def to_dict(self, *, everything: bool) -> dict[str, Any]:
        """For JSON: all of it, or what may soon come again."""
        last = list(self.by_id.items())[0 if everything else -_KEPT_IDS :]
        return {name: [model, asdict(usage)] for name, (model, usage) in last}

    def put(self, name: str, model: str, usage: Usage) -> None:
        """Remember it as the latest."""
        self.by_id.pop(name, None)
        self.by_id[name] = (model, usage)
        if len(self.by_id) > _MOST_IDS:
            del self.by_id[next(iter(self.by_id))]


class Tally:
    """The sums of all logs.

    Attributes:
        models: model -> its usage.
    """

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        """Go on from what `to_dict` gave.

        Raises:
            RecordError: it is no such thing.
        """
        self.models = {model: Usage.from_dict(one) for model, one in (kept or {}).items()}

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {model: asdict(usage) for model, usage in self.models.items()}

    def count(self, counted: Counted, name: str, model: str, usage: Usage, *, cumulative: bool) -> bool:
        """Count an entry; whether that changed a sum.

        Args:
            counted: what its log has been counted for.
            name: the entry's id; empty: it has none.
            model: whose usage it is.
            usage: what it says.
            cumulative: whether it says the sum so far, for its id.
        """
        if not name and not cumulative:
            return self._add(model, Usage(), usage)
        before_model, before = counted.by_id.get(name, (model, Usage()))
        counted.put(name, model, usage)
        if not cumulative:
            if before_model == model:
                return self._add(model, before, usage)
            return self._add(before_model, before, Usage()) | self._add(model, Usage(), usage)
        # A sum that has become smaller began anew.
        return self._add(model, before if usage.tokens >= before.tokens else Usage(), usage)

    def _add(self, model: str, less: Usage, more: Usage) -> bool:
        if model not in self.models and len(self.models) >= _MOST_MODELS:
            model = ""
        before = self.models.get(model, Usage())
        after = before + more - less
        self.models[model] = after
        return after != before
