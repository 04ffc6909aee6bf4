"""How long what is known of people is kept: the table in configuration (domain.md, P4)."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from dispatcher.core.windows import DAY_MS


class Retention(BaseModel):
    """Days that rows are kept which say something of a person. Each clock starts at the end of that rental."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    who_held_days: Annotated[int, Field(ge=90, le=1830)] = 365
    """Days after a rental's end for which it is known who had the key. Default: a fine is sent within a year, and
    the operator then has 45 days to name the driver (code de la route, art. L121-6)."""
    booking_history_days: Annotated[int, Field(ge=30, le=1830)] = 365
    """Days after a booking's end for which its history is kept: when it was made, changed, by which token."""
    facts_days: Annotated[int, Field(ge=60, le=1830)] = 365
    """Days after its receipt for which the ledger keeps what a fact says; number and hash stay. At least twice as
    long as a box can tell it again. Default: as long as who held it, which is read from elsewhere."""
    refusals_days: Annotated[int, Field(ge=1, le=366)] = 90
    """Days after which a refusal at a cabinet no longer says whose badge it was. Default: a quarter, in which a
    member complains; reason, cabinet and time stay for the figures."""
    unknown_badges_days: Annotated[int, Field(ge=1, le=90)] = 7
    """Days for which it is kept that a cabinet refused a badge that nobody knows, or could not read one."""
    sightings_days: Annotated[int, Field(ge=1, le=30)] = 1
    """Days for which it is kept where a badge was shown last. Default: nobody needs longer from one station to
    another, which is all that it is compared for."""
    positions_days: Annotated[int, Field(ge=1, le=90)] = 30
    """Days after which it is forgotten where a vehicle was left outside its bay, where no take erased it before."""
    incidents_days: Annotated[int, Field(ge=30, le=1830)] = 365
    """Days after its closing for which an incident is kept. Default: as who held it; disputes ask for both."""
    shift_notes_days: Annotated[int, Field(ge=1, le=30)] = 1
    """Days for which a shift note is shown and kept. Default: whoever comes after has read it; what lasts longer is
    an incident."""
    commands_days: Annotated[int, Field(ge=30, le=1830)] = 365
    """Days after its outcome for which an operator's command is kept, with author and reason."""
    audit_days: Annotated[int, Field(ge=30, le=1830)] = 365
    """Days for which the audit record is kept: who asked what about whom, and why."""
    events_days: Annotated[int, Field(ge=1, le=366)] = 30
    """Days for which events for others are kept, with their deliveries: what a receiver has not taken by then it
    reads from the API. Default: a month, in which a receiver that broke is repaired."""
    backups_days: Annotated[int, Field(ge=1, le=29)] = 28
    """Days after which `dispatcher backup --prune` removes a backup. Fewer than the 30 days of a box's journal, so
    that the boxes can refill whatever is restored."""

    def cutoff_ms(self, setting: str | None, now_ms: int) -> int:
        """The instant before which what `setting` limits is past its limit; None: rows name their own instant."""
        return now_ms if setting is None else now_ms - int(getattr(self, setting)) * DAY_MS
