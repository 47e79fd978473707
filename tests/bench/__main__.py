"""`make bench`: every figure beside its reference from the same run, as a table and as `build/bench.json`.

Each `bench_*.py` here has `figures() -> list[dict]`, whose entries have the keys of `COLUMNS`. A goal reads
">= 30" and is about the ratio value / reference, or "value <= 0.3 s".
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

COLUMNS = ("name", "value", "unit", "reference", "ratio", "goal", "met")
HERE = Path(__file__).parent


def main(names: list[str]) -> int:
    """Run the benchmarks of those names (none: all); 1 if a goal was missed."""
    rows: list[dict[str, Any]] = []
    for path in sorted(HERE.glob("bench_*.py")):
        name = path.stem.removeprefix("bench_")
        if names and name not in names:
            continue
        print(f"{name} …", file=sys.stderr, flush=True)
        found = importlib.import_module(f"tests.bench.{path.stem}").figures()
        for row in found:
            missing = set(COLUMNS) - set(row)
            if missing:
                raise SystemExit(f"{path.name}: a figure lacks {', '.join(sorted(missing))}")
        rows += found
    out = Path("build/bench.json")
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps([{key: row[key] for key in COLUMNS} for row in rows], indent=2) + "\n", encoding="utf-8")
    _print_table(rows)
    return 0 if all(row["met"] for row in rows) else 1


def _print_table(rows: list[dict[str, Any]]) -> None:
    cells = [COLUMNS, *(tuple(_cell(row[key]) for key in COLUMNS) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(COLUMNS))]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
