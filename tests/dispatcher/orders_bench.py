"""Commands of an operator, as the API writes them."""

from dataclasses import replace
from typing import Any

from dispatcher.store.commands import (
    RELEASE_CODE,
    RELEASE_SLOT,
    StoredCommand,
    command_by_id,
    insert_command,
    next_counter,
)
from dispatcher.store.database import Database
from dispatcher.store.release_codes import insert_code, next_number
from tests.dispatcher.small_fleet import CABINET, MINUTE, NOW_MS


def order(
    database: Database, command_id: str = "order-1", *, now_ms: int = NOW_MS, **changes: Any
) -> StoredCommand:
    """Somebody orders slot 1 of cab-a to be released within a minute, unless told otherwise."""
    cabinet = changes.get("cabinet_id", CABINET)
    plain = StoredCommand(
        id=command_id,
        cabinet_id=cabinet,
        slot=1,
        counter=0,
        action=RELEASE_SLOT,
        author="operators",
        reason="the member's badge is broken",
        issued_ms=now_ms,
        expires_ms=now_ms + MINUTE,
    )
    wanted = replace(plain, **changes)

    def write(connection: Any) -> StoredCommand:
        if wanted.action == RELEASE_CODE:
            made = replace(wanted, counter=next_number(connection, cabinet, now_ms))
            insert_code(connection, made)
            return made
        made = replace(wanted, counter=next_counter(connection, cabinet, now_ms))
        insert_command(connection, made)
        return made

    return database.write_now(write)


def known(database: Database, command_id: str = "order-1", cabinet: str = CABINET) -> StoredCommand:
    found = database.read_now(lambda connection: command_by_id(connection, cabinet, command_id))
    assert found is not None
    return found
