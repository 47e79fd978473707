"""Following a session from outside, by its supervisor's own events."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from sessions.client import connect
from sessions.store import SessionDir


def until(session: SessionDir, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first status that is as wanted, from the supervisor's own events."""

    async def follow() -> dict[str, Any]:
        connection = await connect(session)
        try:
            connection.send("watch")
            async for event in connection.events():
                if event["type"] == "status" and wanted(event["status"]):
                    return dict(event["status"])
        finally:
            await connection.close()
        raise AssertionError("the supervisor hung up")

    async def limited() -> dict[str, Any]:
        return await asyncio.wait_for(follow(), 30)

    return asyncio.run(limited())


def kinds(session: SessionDir) -> list[str]:
    return [json.loads(line)["kind"] for line in session.journal.read_text().splitlines()]


def entries(session: SessionDir, kind: str) -> list[dict[str, Any]]:
    """The journal's entries of a kind."""
    found = [json.loads(line) for line in session.journal.read_text().splitlines()]
    return [one for one in found if one["kind"] == kind]
