"""What a dispatcher exports: about itself, and of each cabinet what an operator needs of its box.

`docs/metrics.md` is made from these lines.
"""

from runtime.series import Catalogue

SERIES = Catalogue("dispatcher")

INFO = SERIES.gauge("info", "The running dispatcher", "version")
ACTIVE = SERIES.gauge("active", "1 where it is the active one, 0 while it stands by")
CHECK_OK = SERIES.gauge(
    "check_ok", "1 while a check of /readyz holds: intake, timed_work (the database), broker", "check"
)

# --- what comes in

INGEST_FACTS = SERIES.counter("ingest_facts", "Facts received, by what became of them", "outcome")
INGEST_DELAY = SERIES.histogram(
    "ingest_delay_seconds", "From a fact's time, where its box's clock was trusted, to its commit in the ledger"
)
INGEST_WAITING = SERIES.gauge("ingest_waiting_messages", "Messages that wait for a commit")
INGEST_FAILED = SERIES.counter("ingest_failed_messages", "Messages that the store could not take")
MESSAGES_REJECTED = SERIES.counter("messages_rejected", "Messages not accepted, by fault", "fault")
MESSAGES_ACCEPTED = SERIES.counter("messages_accepted", "Messages verified, by kind", "kind")
LINK_UP = SERIES.gauge("link_up", "1 while connected to the broker")
LINK_CONNECTS = SERIES.counter("link_connects", "Connections made")
LINK_ENDS = SERIES.counter("link_ends", "Connections and attempts that ended", "why")
LINK_PUBLISHED = SERIES.counter("link_published", "Messages confirmed by the broker")

# --- its own work

PUBLISH_FAILURES = SERIES.counter("publish_failures", "Messages that the broker refused or did not confirm")
PUBLISHER_FAILURES = SERIES.counter("publisher_failures", "Rounds of the publisher that a mistake of ours ended")
ORDERS_FAILURES = SERIES.counter(
    "orders_failures", "Rounds of sending operators' commands that a mistake of ours ended"
)
TIMED_WORK_FAILURES = SERIES.counter("timed_work_failures", "Rounds of timed work that failed")
RECONCILER_DIFFERENCES = SERIES.counter(
    "reconciler_differences", "Incidents that a pass of the reconciler over everything found wrong: must be 0"
)
ROWS_PAST_LIMIT = SERIES.gauge(
    "rows_past_limit", "Rows that are past their limit for longer than the job may need: must be 0", "limit"
)
RETENTION_ROWS = SERIES.counter("retention_rows", "Rows that were forgotten past their limit")
RETENTION_FAILURES = SERIES.counter("retention_failures", "Rounds of forgetting that failed")

# --- the network

OPEN_INCIDENTS = SERIES.gauge("open_incidents", "Incidents that are open, by kind", "kind")
UNACKNOWLEDGED = SERIES.gauge(
    "incidents_unacknowledged", "Open incidents that nobody has acknowledged, by severity", "severity"
)
UNACKNOWLEDGED_OLDEST = SERIES.gauge(
    "incidents_unacknowledged_oldest_seconds", "Since when the oldest of them is open; 0: there is none", "severity"
)
BOOKINGS = SERIES.gauge("bookings", "Bookings, by state", "state")
CABINETS = SERIES.gauge("cabinets", "Cabinets in service")
CABINETS_ONLINE = SERIES.gauge("cabinets_online", "Cabinets in service whose presence says online")
DESIRED_OUTDATED = SERIES.gauge("desired_outdated_cabinets", "Cabinets that hold an older desired state than ours")
DESIRED_LAG = SERIES.gauge(
    "desired_lag_seconds", "Age of the oldest desired state that its cabinet does not hold yet"
)
DESIRED_REFUSED = SERIES.gauge("desired_refused_cabinets", "Cabinets whose desired state could not be made")
GRANTS_LEFT_OUT = SERIES.gauge("desired_grants_left_out", "Grants that did not fit the size of a desired state")
REVOCATIONS_PENDING = SERIES.gauge("revocations_pending", "Revoked badges that not every box has been told of yet")
REVOCATION_OLDEST = SERIES.gauge(
    "revocation_oldest_pending_seconds", "Since when the oldest of them is revoked; 0: there is none"
)
REVOCATION = SERIES.histogram(
    "revocation_seconds", "From a badge's revocation until the last box that knew the badge had it"
)

# --- each cabinet in service; `station` is its main one

CABINET_ONLINE = SERIES.gauge("cabinet_online", "1 while its presence says online", "cabinet", "station")
CABINET_SILENT = SERIES.gauge(
    "cabinet_silent_seconds", "Since its last word; absent: it never said any", "cabinet", "station"
)
CABINET_JOURNAL_DEPTH = SERIES.gauge(
    "cabinet_journal_depth", "Facts that its last report says it noted and our ledger lacks", "cabinet", "station"
)
CABINET_CLOCK_TRUSTED = SERIES.gauge(
    "cabinet_clock_trusted", "1 while somebody vouches for its clock, as it said last", "cabinet", "station"
)
CABINET_DESIRED_LAG = SERIES.gauge(
    "cabinet_desired_lag_seconds",
    "Age of the desired state that it is to hold and does not; 0: it does",
    "cabinet",
    "station",
)
CABINET_SLOTS = SERIES.gauge("cabinet_slots", "Its slots, by state", "cabinet", "station", "state")
CABINET_KEYS_OUT = SERIES.gauge("cabinet_keys_out", "Keys that were taken there and are out", "cabinet", "station")
CABINET_KEYS_OVERDUE = SERIES.gauge(
    "cabinet_keys_overdue", "Open incidents of keys that should be back by now", "cabinet", "station"
)
CABINET_FORCED = SERIES.gauge(
    "cabinet_forced",
    "Open incidents that say it was opened, or its readers were, by force or by hand",
    "cabinet",
    "station",
)

# --- what others are told and ask

EVENTS_LAG = SERIES.gauge(
    "events_lag_seconds", "Since when the oldest event waits that an active webhook has not got"
)
EVENTS_WAITING = SERIES.gauge("events_waiting", "Deliveries that wait, paused webhooks' too")
EVENTS_DEAD = SERIES.gauge("events_dead_letters", "Deliveries that nobody tries any more")
WEBHOOKS = SERIES.gauge("webhooks", "Webhooks, by state", "state")
EVENTS_ATTEMPTS = SERIES.counter("events_attempts", "Attempts to deliver, by outcome", "outcome")
EVENTS_FAILURES = SERIES.counter("events_failures", "Rounds of sending events that a mistake of ours ended")
API_REQUESTS = SERIES.counter("api_requests", "Requests to the API", "method", "route", "status")
API_REPLAYS = SERIES.counter("api_replays", "Answers told again under an Idempotency-Key, with nothing done")
API_REFUSALS = SERIES.counter("api_refusals", "Problems answered, by reason", "reason")
API_FAULTY_TOKEN_FILES = SERIES.counter(
    "api_faulty_token_files", "Versions of the tokens file that could not be used"
)
