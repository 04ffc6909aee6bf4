"""`osdp`: badge and tag readers over OSDP v2 with its secure channel, several on one bus."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contract.values import OpaqueId
from runtime.config import Settings
from runtime.paths import LocalFile
from station_agent.core.device_events import CardRead, KeypadPressed, ReaderLost, ReaderSeen
from station_agent.drivers.declaration import Fault, Peer, ReadersDriver, Tools
from station_agent.drivers.osdp.annotate import OsdpAnnotator
from station_agent.drivers.osdp.config import OsdpReaderConfig
from station_agent.drivers.osdp.panel import OsdpPanel
from station_agent.drivers.osdp.probe import OsdpProber
from station_agent.drivers.tables import BaudRate, ReadersTable, Role, SecretFile

SCBK_BYTES = 16  # the secure channel is AES-128


class OsdpReader(Settings):
    name: OpaqueId
    """As in facts and metrics."""
    role: Role
    """`return_tag`: reads the fob of a key that is brought back."""
    address: Annotated[int, Field(ge=0, le=126)]
    """OSDP address of the reader."""
    scbk_file: LocalFile
    """This reader's secure channel base key, 32 hexadecimal digits; one key per reader."""
    poll_ms: Annotated[int, Field(ge=20, le=1000)] = 50
    """How often it is asked; a swipe waits half of it on average."""


class OsdpTable(ReadersTable):
    """Badge and tag readers over OSDP, several on one bus."""

    driver: Literal["osdp"] = "osdp"
    """What the readers speak."""
    baud_rate: BaudRate = 38400
    """Two readers polled every 50 ms need 38400; one alone runs at 9600."""
    readers: Annotated[tuple[OsdpReader, ...], Field(min_length=1, max_length=8)]
    """The readers on this bus."""

    @property
    def roles(self) -> tuple[tuple[str, Role], ...]:
        return tuple((reader.name, reader.role) for reader in self.readers)

    @property
    def secret_files(self) -> tuple[SecretFile, ...]:
        return tuple(
            SecretFile(reader.name, f"readers[{index}].scbk_file", reader.scbk_file, SCBK_BYTES)
            for index, reader in enumerate(self.readers)
        )

    @model_validator(mode="after")
    def _addresses_differ(self) -> Self:
        addresses = [reader.address for reader in self.readers]
        if len(set(addresses)) != len(addresses):
            raise ValueError(f"two readers at one address: {sorted(addresses)}")
        return self


def _panel(table: OsdpTable, tools: Tools) -> OsdpPanel:
    readers = (
        OsdpReaderConfig(reader.name, reader.address, tools.secrets[reader.name], reader.poll_ms)
        for reader in table.readers
    )
    return OsdpPanel(tuple(readers), baud_rate=table.baud_rate, random_bytes=tools.random_bytes)


def _addresses(table: OsdpTable) -> tuple[int, ...]:
    return tuple(reader.address for reader in table.readers)


_PANEL = "tests/station_agent/drivers/osdp/test_panel.py"
_FAULTS = "tests/station_agent/drivers/osdp/test_panel_faults.py"
_ATTACKS = "tests/station_agent/drivers/osdp/test_panel_attacks.py"
_ACCESS = "tests/station_agent/core/test_access.py"
_REPLAY = "tests/wire/test_osdp_replay.py"
_PEERS = "tests/wire/test_osdp_peers.py"
_PAIRING = "tests/wire/test_pair_reader.py"

DRIVER = ReadersDriver(
    name="osdp",
    table=OsdpTable,
    codec=_panel,
    line="RS-485, pyserial URL",
    annotator=OsdpAnnotator,
    prober=OsdpProber(),
    when_seen="answers, in its secure channel",
    addresses=_addresses,
    tells=frozenset({ReaderSeen, ReaderLost, CardRead, KeypadPressed}),
    peers=(
        Peer(
            "libosdp: its device against our panel and paired by us, its panel against the simulated reader",
            (
                f"{_PAIRING}::test_libosdps_device_in_install_mode_is_paired_and_opens_its_channel_to_the_station",
                f"{_PEERS}::test_libosdps_panel_gives_our_reader_in_install_mode_its_key",
                f"{_PEERS}::test_our_panel_takes_cards_keys_and_tamper_from_libosdps_device_over_the_secure_channel",
                f"{_PEERS}::test_libosdps_device_takes_our_signals",
                f"{_PEERS}::test_libosdps_panel_takes_cards_and_keys_from_our_reader_and_its_led_and_buzzer_work",
            ),
        ),
        Peer(
            "the panel of PyPI `osdp`, against the simulated reader",
            (f"{_PEERS}::test_the_panel_of_osdp_takes_cards_from_our_reader_and_its_led_works",),
        ),
    ),
    faults=(
        Fault(
            "flipped bits, cut and lost replies, noise",
            "asks again under the same number: of 150 swipes with one reply in twenty spoilt at least 145 arrive, "
            "none twice",
            (f"{_FAULTS}::test_of_150_swipes_at_one_bad_reply_in_twenty_at_least_145_arrive_and_none_twice",),
        ),
        Fault(
            "mute for 3 s and for 12 s",
            "the reader is lost within a second (`no_answer`), sought once a second, back within two seconds",
            (
                f"{_FAULTS}::test_a_reader_that_fell_silent_is_lost_within_a_second",
                f"{_FAULTS}::test_a_reader_that_was_mute_is_back_within_two_seconds",
            ),
        ),
        Fault(
            "a card shown while the reader is away, or lost with its reply",
            "opens nothing later; the reader invites to tap again when it is back",
            (
                f"{_FAULTS}::test_a_swipe_during_a_mute_opens_nothing_later_and_the_reader_invites_again",
                f"{_PEERS}::test_a_lost_reply_of_libosdps_device_costs_its_session_for_less_than_a_second",
            ),
        ),
        Fault(
            "power cycle",
            "a new session within a second",
            (f"{_FAULTS}::test_a_restarted_reader_is_back_within_a_second",),
        ),
        Fault(
            "wrong SCBK, or another reader in its place",
            "no card is taken, `reader_replaced` is told, also in the middle of a session",
            (
                f"{_FAULTS}::test_a_reader_with_another_key_gives_no_card_and_is_called_replaced",
                f"{_FAULTS}::test_a_stranger_put_in_place_of_a_reader_in_session_is_noticed",
                f"{_PEERS}::test_libosdps_device_with_another_key_is_called_replaced",
            ),
        ),
        Fault(
            "a reader in install mode, or one that speaks in clear",
            "gets neither key nor session, its cards are not taken",
            (
                f"{_FAULTS}::test_a_reader_in_install_mode_gives_no_card_and_gets_no_session",
                f"{_ATTACKS}::test_the_panel_never_speaks_under_the_public_key_whatever_is_at_its_reader",
                f"{_FAULTS}::test_a_reader_that_speaks_in_clear_gives_no_card",
                f"{_ATTACKS}::test_a_card_in_clear_is_not_taken_in_a_session",
            ),
        ),
        Fault(
            "duplicate swipe: a reply that comes twice, a card shown again",
            "the reply counts once; a second tap while the slot opens changes nothing",
            (
                f"{_FAULTS}::test_a_reply_that_comes_twice_counts_once_and_is_no_noise",
                f"{_ACCESS}::test_a_second_tap_while_the_slot_opens_changes_nothing",
            ),
        ),
        Fault(
            "a session recorded and replayed; frames dropped, repeated, held back, reordered",
            "no card of the recording is taken, no swipe counts twice",
            (
                f"{_ATTACKS}::test_a_recorded_session_replayed_into_another_panel_delivers_no_card",
                f"{_ATTACKS}::test_whoever_drops_repeats_holds_and_reorders_gets_no_second_swipe",
                f"{_REPLAY}::test_a_recorded_session_replayed_to_a_restarted_panel_delivers_no_card",
            ),
        ),
        Fault(
            "PIN digits on the same reader",
            "are told as digits, `*` and `#`, in order, apart from cards",
            (f"{_PANEL}::test_keys_arrive_as_digits_star_and_hash",),
        ),
        Fault(
            "a second panel on the bus",
            "costs sessions, and no wrong card",
            (f"{_FAULTS}::test_a_second_panel_on_the_bus_causes_no_wrong_card",),
        ),
        Fault(
            "two readers at one address",
            "no card is taken, the reader is lost as `garbled`",
            (f"{_FAULTS}::test_two_readers_at_one_address_give_no_card_and_are_called_garbled",),
        ),
        Fault(
            "power lost, cable pulled, or a refusal while it is given a key",
            "both keys are kept until the reader has proved one; the next run of `pair-reader` finds which it has",
            (
                f"{_PAIRING}::test_power_that_fails_over_the_key_loses_nothing",
                f"{_PAIRING}::test_a_reader_that_took_the_key_and_died_is_found_with_it_by_the_next_run",
                f"{_PAIRING}::test_a_cable_pulled_in_the_middle_keeps_both_keys",
                f"{_PAIRING}::test_a_reader_that_refuses_the_key_stays_as_it_was",
            ),
        ),
        Fault(
            "busy",
            "is asked again, and the swipe waits; a reader that stays busy is lost",
            (
                f"{_FAULTS}::test_a_busy_reader_is_asked_again_and_a_swipe_waits",
                f"{_FAULTS}::test_a_reader_that_stays_busy_is_lost",
            ),
        ),
        Fault(
            "tamper and power",
            "are told when they change and whenever the reader comes online, also where it does not tell by itself",
            (
                f"{_PANEL}::test_tamper_and_power_are_told_when_they_change_and_when_the_reader_comes_online",
                f"{_PANEL}::test_the_status_is_asked_for_though_a_reader_does_not_tell_it_by_itself",
            ),
        ),
        Fault(
            "cable pulled",
            "each reader of the bus is lost, and back in new sessions when the line is open again",
            (
                f"{_PANEL}::test_a_closed_line_loses_each_reader_and_an_opened_one_finds_them_again",
                f"{_PANEL}::test_a_line_opened_anew_begins_new_sessions",
            ),
        ),
    ),
)
