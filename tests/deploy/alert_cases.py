"""Each alert with what makes it fire and what ends it, as minutes of samples in promtool's own notation."""

from collections.abc import Mapping
from dataclasses import dataclass

CABINET = 'cabinet="gare-1", station="gare", instance="a:1"'
OTHER = 'cabinet="gare-2", station="gare", instance="a:1"'
DISPATCHER = 'job="dispatcher", instance="a:1"'
ACTIVE = {f"dispatcher_active{{{DISPATCHER}}}": "1x120"}
HEARD = {f"dispatcher_cabinet_online{{{place}}}": "1x120" for place in (CABINET, OTHER)} | {
    f"dispatcher_cabinet_silent_seconds{{{place}}}": "5x120" for place in (CABINET, OTHER)
}

BAD_M = 10  # from this minute on something is wrong
GOOD_M = 60  # from this one on it is mended
AGES = " ".join(["10+60x4"] * 10)


@dataclass(frozen=True, slots=True)
class Case:
    """`series`: samples, one a minute. Quiet before it was wrong for long, alerts at `fires_m`, none at the end."""

    series: Mapping[str, str]
    fires_m: int = 45
    quiet_m: int = BAD_M
    count: int = 1
    silent_too: tuple[str, ...] = ()
    """Alerts that are not said beside it."""
    alone: bool = False
    """Its samples would be taken for another case's: it has a network of its own."""
    end_m: int = 115
    """When nothing fires any more: its widest window after it was mended."""


def wrong(series: str, bad: float, good: float = 0) -> dict[str, str]:
    """Good, wrong for fifty minutes, good again."""
    return {series: f"{good}x{BAD_M - 1} {bad}x{GOOD_M - BAD_M - 1} {good}x59"}


def counts(series: str) -> dict[str, str]:
    """A counter that moves for fifty minutes, one a minute."""
    moves = GOOD_M - BAD_M
    return {series: f"0x{BAD_M - 1} 1+1x{moves - 1} {moves}x400"}


def cabinets(number: int, silent: int) -> dict[str, str]:
    """A network of which some cabinets go offline."""
    rows: dict[str, str] = {}
    for index in range(number):
        name = f'dispatcher_cabinet_online{{cabinet="c-{index}", station="s-{index}"}}'
        rows |= wrong(name, 0, 1) if index < silent else {name: "1x120"}
    return rows


CASES: Mapping[str, Case] = {
    "DispatcherDown": Case(
        wrong(f"up{{{DISPATCHER}}}", 0, 1), quiet_m=11, silent_too=("DispatcherInstanceDown",), alone=True
    ),
    "NoActiveDispatcher": Case(wrong(f"dispatcher_active{{{DISPATCHER}}}", 0, 1), quiet_m=11, alone=True),
    "DispatcherInstanceDown": Case(
        wrong(f"up{{{DISPATCHER}}}", 0, 1) | {'up{job="dispatcher", instance="b:1"}': "1x120"},
        quiet_m=14,
        silent_too=("DispatcherDown",),
        alone=True,
    ),
    "DatabaseUnavailable": Case(ACTIVE | wrong(f'dispatcher_check_ok{{check="intake", {DISPATCHER}}}', 0, 1)),
    "BrokerLost": Case(
        ACTIVE
        | wrong(f'dispatcher_check_ok{{check="broker", {DISPATCHER}}}', 0, 1)
        | {
            'dispatcher_check_ok{check="broker", instance="b:1"}': "0x120",
            'dispatcher_active{instance="b:1"}': "0x120",
        }
    ),
    "CertificateNotAccepted": Case(counts(f'dispatcher_link_ends_total{{why="tls_failed", {DISPATCHER}}}')),
    "PublisherFailing": Case(
        counts("dispatcher_publisher_failures_total") | {"dispatcher_orders_failures_total": "0x120"}
    ),
    "MessagesNotConfirmed": Case(
        {"dispatcher_publish_failures_total": f"0x{BAD_M - 1} 5+5x{GOOD_M - BAD_M - 1} 250x60"}, quiet_m=15
    ),
    "ReconcilerWrong": Case(counts("dispatcher_reconciler_differences_total"), end_m=122),
    "ApiFailing": Case(
        {
            'dispatcher_api_requests_total{status="503"}': f"0x{BAD_M - 1} 2+2x{GOOD_M - BAD_M - 1} 100x60",
            'dispatcher_api_requests_total{status="200"}': "0+10x120",
        },
        quiet_m=14,
    ),
    "TokensFileFaulty": Case(counts("dispatcher_api_faulty_token_files_total"), end_m=122),
    "IngestStalled": Case(
        wrong(f"dispatcher_ingest_waiting_messages{{{DISPATCHER}}}", 40)
        | {
            f'dispatcher_ingest_facts_total{{outcome="applied", {DISPATCHER}}}': (
                f"0+3x{BAD_M - 1} 30x{GOOD_M - BAD_M - 1} 30+3x59"
            )
        },
        quiet_m=15,
    ),
    "IngestFailing": Case(counts("dispatcher_ingest_failed_messages_total")),
    "IngestSlow": Case(
        {
            'dispatcher_ingest_delay_seconds_bucket{le="60"}': f"0+9x{BAD_M - 1} 90x{GOOD_M - BAD_M - 1} 90+9x59",
            'dispatcher_ingest_delay_seconds_bucket{le="300"}': "0+9x119",
            'dispatcher_ingest_delay_seconds_bucket{le="+Inf"}': "0+9x119",
        },
        fires_m=55,
        quiet_m=30,
    ),
    "JournalGrowing": Case(HEARD | wrong(f"dispatcher_cabinet_journal_depth{{{CABINET}}}", 180), quiet_m=24),
    "MessagesForged": Case(counts('dispatcher_messages_rejected_total{fault="bad_signature"}')),
    "CabinetSilent": Case(cabinets(30, 2), count=2, quiet_m=14, silent_too=("CabinetsSilentStorm",), alone=True),
    "CabinetsSilentStorm": Case(cabinets(30, 6), quiet_m=14, silent_too=("CabinetSilent",), alone=True),
    "CabinetClockUntrusted": Case(
        HEARD | wrong(f"dispatcher_cabinet_clock_trusted{{{CABINET}}}", 0, 1), quiet_m=19
    ),
    "DesiredNotTaken": Case(  # it is told something newer every five minutes, and takes none of it
        HEARD
        | {f"dispatcher_cabinet_desired_lag_seconds{{{CABINET}}}": f"0x{BAD_M - 1} {AGES} 0x59"}
        | {f"dispatcher_cabinet_desired_lag_seconds{{{OTHER}}}": " ".join(["0x4 9x0"] * 20)},
        quiet_m=22,
    ),
    "DesiredNotMade": Case(wrong("dispatcher_desired_refused_cabinets", 1), quiet_m=14),
    "DesiredTooLarge": Case({"dispatcher_desired_grants_left_out": "0x9 3x79 0x60"}, fires_m=80, quiet_m=69),
    "CabinetForced": Case(wrong(f"dispatcher_cabinet_forced{{{CABINET}}}", 1)),
    "KeysOverdue": Case(wrong(f"dispatcher_cabinet_keys_overdue{{{CABINET}}}", 2), quiet_m=39),
    "IncidentsUnacknowledged": Case(
        {
            'dispatcher_incidents_unacknowledged_oldest_seconds{severity="urgent"}': "0x9 0+60x49 0x60",
            'dispatcher_incidents_unacknowledged_oldest_seconds{severity="info"}': "90000x120",
        },
        quiet_m=20,
    ),
    "AgentDown": Case(wrong('up{job="station-agent", instance="box:1"}', 0, 1), quiet_m=14),
    "ReleaseSlow": Case(
        {
            'station_agent_release_seconds_bucket{instance="box:1", le="0.25"}': "0+9x9 90+8x49 490+90x400",
            'station_agent_release_seconds_bucket{instance="box:1", le="+Inf"}': "0+9x9 90+9x49 540+90x400",
            'station_agent_release_seconds_count{instance="box:1"}': "0+9x9 90+9x49 540+90x400",
        },
        quiet_m=24,
        end_m=122,
    ),
    "JournalNotDurable": Case(wrong('station_agent_journal_durable{instance="box:1"}', 0, 1)),
    "JournalNearlyFull": Case(
        wrong('station_agent_journal_used_bytes{instance="box:1"}', 90)
        | {
            'station_agent_journal_limit_bytes{instance="box:1"}': "100x120",
            'station_agent_journal_used_bytes{instance="box:2"}': "90x120",
            'station_agent_journal_limit_bytes{instance="box:2"}': "0x120",  # as the disk allows
        },
        quiet_m=19,
    ),
    "LineNoisy": Case(
        {
            'station_agent_line_errors_total{instance="box:1", line="locks", kind="timeout"}': "0x9 9+9x49 450x60",
            'station_agent_line_frames_total{instance="box:1", line="locks", direction="sent"}': "0+60x120",
            'station_agent_line_frames_total{instance="box:1", line="locks", direction="received"}': "0+60x120",
        },
        quiet_m=24,
    ),
    "PositionWithIgnitionOn": Case(
        counts('station_agent_vehicle_faults_total{fault="position_with_ignition_on", instance="box:1"}'),
        alone=True,
        end_m=60 + 6 * 60,
    ),
    "RowsPastRetention": Case(wrong('dispatcher_rows_past_limit{limit="rentals"}', 7), quiet_m=39),
    "RetentionFailing": Case(counts("dispatcher_retention_failures_total"), alone=True, end_m=60 + 3 * 60),
    "RevocationSlow": Case(wrong("dispatcher_revocation_oldest_pending_seconds", 1000), quiet_m=14),
    "WebhooksBehind": Case(wrong("dispatcher_events_lag_seconds", 700), quiet_m=14),
    "WebhookDeadLetters": Case(wrong("dispatcher_events_dead_letters", 3), quiet_m=14),
    "EventSenderFailing": Case(counts("dispatcher_events_failures_total")),
}
