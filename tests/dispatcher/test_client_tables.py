"""Tables for eyes: nothing that is copied is cut, nothing is wider than the terminal."""

from dispatcher.client.tables import fields, story, table, text
from tests.dispatcher.terminal import here

ID = "x" * 20


def test_times_are_in_the_zone_of_the_machine_their_offset_in_the_head() -> None:
    rows: list[dict[str, str | None]] = [
        {"at": "2026-10-24T00:30:00Z"},
        {"at": "2026-10-24T23:30:00Z"},
        {"at": None},
    ]
    with here():
        assert table(rows, ["at"]).splitlines() == ["at +02", "2026-10-24 02:30", "2026-10-25 01:30", "-"]


def test_where_the_offset_changes_each_line_says_it() -> None:
    with here():
        shown = table([{"at": "2026-10-25T00:30:00Z"}, {"at": "2026-10-25T01:30:00Z"}], ["at"])
    assert shown.splitlines() == ["at", "2026-10-25 02:30+0200", "2026-10-25 02:30+0100"]


def test_what_is_too_wide_is_cut_at_its_widest_text_and_never_at_an_id() -> None:
    with here(60):
        head, line = table([{"id": ID, "why": "y" * 300}], ["id", "why"]).splitlines()
    assert (head.split(), len(line), line[-1], line.split()[0]) == (["id", "why"], 60, "…", ID)


def test_extra_columns_go_where_there_is_no_room() -> None:
    row = {"id": ID, "member_id": ID, "vehicle_id": ID}
    with here(60):
        assert table([row], ["id"], ["member_id", "vehicle_id"]).splitlines()[0].split() == ["id", "member"]


def test_an_extra_column_is_cut_before_any_other_and_never_below_its_head() -> None:
    row = {"kind": "slot_opened_without_decision", "note": "left mirror broken off", "assigned_to": "somebody"}
    with here(48):
        head, line = table([row], ["kind"], ["note"]).splitlines()
        assert line == "slot_opened_without_decision  left mirror broke…"
        assert table([row], ["kind"], ["note", "assigned_to"]).splitlines() == [head, line]
        assert len(table([row, row], ["kind", "assigned_to", "note"]).splitlines()[0]) <= 48


def test_columns_move_together_before_a_text_is_cut() -> None:
    row = {"id": ID, "state": "completed", "start": "s" * 16}
    with here(47):
        assert table([row], ["id", "state", "start"]).splitlines()[1] == f"{ID} completed {'s' * 16}"


def test_what_has_no_room_as_a_line_is_shown_as_fields() -> None:
    with here(50):
        shown = table([{"a_id": ID, "b_id": ID, "c_id": ID}] * 2, ["a_id", "b_id", "c_id"])
    assert shown == "\n\n".join([f"a  {ID}\nb  {ID}\nc  {ID}"] * 2)


def test_numbers_stand_at_the_right() -> None:
    assert table([{"km": 7}, {"km": 123.5}], ["km"]).splitlines() == ["   km", "    7", "123.5"]


def test_a_record_shows_what_is_known_and_its_lists_as_tables() -> None:
    row = {"id": "a", "key": {"state": "taken", "held_by": None}, "slots": [{"slot": 1}, {"slot": 12}], "left": []}
    assert fields(row).splitlines() == [
        "id         a",
        "key.state  taken",
        "left       none",
        "",
        "slots",
        *["  slot", "     1", "    12"],
    ]


def test_the_last_column_of_a_story_is_wrapped() -> None:
    with here(44):
        shown = story([{"what": "told", "why": "one two three four five six seven eight"}]).splitlines()
    assert shown == ["what  why", "told  one two three four five six seven", "      eight"]


def test_what_would_move_the_cursor_is_shown_as_a_mark() -> None:
    assert text("a\x1b[2Jb\r\nc") == "a\ufffd[2Jb c"
