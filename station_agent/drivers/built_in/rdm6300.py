"""`rdm6300`: a reader of EM4100 key tags on a line of its own, which only sends."""

from functools import partial
from typing import Literal

from station_agent.drivers.declaration import Fault, Peer, TagReaderDriver
from station_agent.drivers.rdm6300 import Rdm6300Reader
from station_agent.drivers.tables import TagReaderTable
from station_agent.drivers.talkers import TalkerAnnotator


class Rdm6300Table(TagReaderTable):
    """A reader of key tags on a line of its own, which only sends: where OSDP at the return slot is too much."""

    driver: Literal["rdm6300"] = "rdm6300"
    """What the reader speaks."""


_TESTS = "tests/station_agent/drivers/test_rdm6300.py"
_PEER = "tests/wire/test_rdm6300_peer.py"
_WIRE = "tests/wire/test_talkers.py"

DRIVER = TagReaderDriver(
    name="rdm6300",
    table=Rdm6300Table,
    codec=lambda table, _tools: Rdm6300Reader(table.name),
    line="serial, pyserial URL",
    annotator=partial(TalkerAnnotator, "tag reader"),
    when_seen="its line is open; whether it lives is seen when it reads a tag",
    peers=(
        Peer(
            "the parser of PyPI `rdm6300`, beside ours and behind the simulated reader",
            (
                f"{_PEER}::test_both_parsers_find_one_tag_in_what_our_simulator_sends",
                f"{_PEER}::test_both_parsers_refuse_the_same_checksums",
                f"{_PEER}::test_their_reader_takes_a_tag_from_our_simulated_one",
            ),
        ),
    ),
    faults=(
        Fault(
            "endless repeats while a tag is there",
            "a tag is told once per presentation: what was not read for 0.4 s is gone",
            (
                f"{_TESTS}::test_a_tag_held_for_a_minute_is_told_once",
                f"{_TESTS}::test_a_presentation_ends_with_the_gap_and_not_before",
                f"{_WIRE}::test_a_key_comes_back_by_the_tag_on_a_line_that_only_sends",
            ),
        ),
        Fault(
            "noise before STX",
            "is counted once as garbled and hides no frame",
            (
                f"{_TESTS}::test_a_false_start_in_the_noise_hides_no_frame",
                f"{_TESTS}::test_noise_before_every_frame_costs_no_presentation",
            ),
        ),
        Fault(
            "cut frame, wrong checksum",
            "is counted and told to nobody; the next good frame is read",
            (
                f"{_TESTS}::test_a_cut_frame_is_counted_and_the_next_one_read",
                f"{_TESTS}::test_a_reader_whose_frames_are_cut_says_nothing_until_they_are_whole",
                f"{_TESTS}::test_wrong_checksums_are_counted_and_told_to_nobody",
            ),
        ),
        Fault(
            "two tags at once",
            "both are told, each once",
            (f"{_TESTS}::test_two_tags_at_once_are_both_told_once",),
        ),
        Fault(
            "cable pulled",
            "the reader is lost, and seen when the line is open again; a tag that stayed there is not told anew",
            (
                f"{_TESTS}::test_a_reader_is_seen_when_its_line_opens_and_lost_when_it_closes",
                f"{_TESTS}::test_a_tag_that_stays_while_the_line_blinks_is_not_told_again",
                f"{_WIRE}::test_the_cable_of_a_talker_is_pulled_and_comes_back_without_touching_the_others",
            ),
        ),
        Fault(
            "dead reader on an open line",
            "is not noticed: it cannot be asked anything (`limits.md`)",
            (f"{_TESTS}::test_it_never_asks_and_rests_until_there_is_news",),
        ),
    ),
)
