"""What an agent exports about itself. `docs/metrics.md` is made from these lines."""

from runtime.series import Catalogue

SERIES = Catalogue("station_agent")

INFO = SERIES.gauge("info", "The running agent", "version", "cabinet")

LINK_UP = SERIES.gauge("link_up", "1 while connected to the broker")
LINK_ENDS = SERIES.counter("link_ends", "Connections and attempts that ended", "why")
LINK_PUBLISHED = SERIES.counter("link_published", "Messages confirmed by the broker")
LINK_REFUSED = SERIES.counter("link_refused", "Messages the broker refused")
MESSAGES_REFUSED = SERIES.counter("messages_refused", "Messages not accepted", "reason")
MESSAGES_LEFT_OUT = SERIES.counter("messages_left_out", "Messages left out under load")

JOURNAL_DEPTH = SERIES.gauge("journal_depth", "Facts not yet acknowledged by the ledger")
JOURNAL_UNTOLD = SERIES.gauge(
    "journal_oldest_unacknowledged_seconds", "Age of the oldest fact that the ledger has not acknowledged"
)
JOURNAL_USED = SERIES.gauge("journal_used_bytes", "Of the journal's file, what is in use")
JOURNAL_LIMIT = SERIES.gauge("journal_limit_bytes", "How large the journal's file may grow; 0: as the disk allows")
JOURNAL_EMERGENCY = SERIES.gauge("journal_emergency", "Facts that only the emergency journal holds")
JOURNAL_DURABLE = SERIES.gauge("journal_durable", "1 while facts can be made durable")
FACTS_NOTED = SERIES.counter("facts_noted", "Facts of this epoch")
FACTS_RESENT = SERIES.counter("facts_resent", "Times that unacknowledged facts were sent again")

RELEASE = SERIES.histogram("release_seconds", "From a card's event to the order to pulse the lock")
REFUSALS = SERIES.counter("refusals", "Refusals at the readers", "reason")
CARDS_TOO_OLD = SERIES.counter("cards_too_old", "Cards that waited too long to be answered")
COMMANDS = SERIES.counter("commands", "Commands that release a slot", "outcome")
COMMANDS_UNANSWERABLE = SERIES.counter("commands_unanswerable", "Old commands that were replayed")
DESIRED_ARRIVALS = SERIES.counter("desired_arrivals", "Wanted states by outcome", "outcome")
DESIRED_VERSION = SERIES.gauge("desired_version", "Version of the wanted state held; 0: none")
GRANTS_HELD = SERIES.gauge("grants_held", "Grants on this box")
KEYS_OUT = SERIES.gauge("keys_out", "Keys of this cabinet that somebody has")
CLOCK_SOURCE = SERIES.gauge("clock_source", "1 for who vouches for the clock", "source")

DEVICE_ONLINE = SERIES.gauge("device_online", "1 while a device answers", "device")
LINE_OPEN = SERIES.gauge("line_open", "1 while the serial line is open", "line")
LINE_FRAMES = SERIES.counter("line_frames", "Frames that passed on a serial line", "line", "direction")
LINE_ERRORS = SERIES.counter(
    "line_errors",
    "Requests that got no answer in time, pieces that were no frame",
    "line",
    "kind",
)
VEHICLE_REPORTS = SERIES.counter("vehicle_reports", "Tracker messages read")
VEHICLE_FAULTS = SERIES.counter(
    "vehicle_faults",
    "Tracker messages with a fault; position_with_ignition_on must be 0: such a tracker is configured wrong",
    "fault",
)
