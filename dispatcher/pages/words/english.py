"""The pages in English."""

from types import MappingProxyType

from dispatcher.api.problems import PROBLEMS
from dispatcher.core.booking_states import BookingState
from dispatcher.pages.views.network import Heard
from dispatcher.pages.views.slots import Shown
from dispatcher.pages.words.catalogue import Language, Words
from dispatcher.pages.words.english_kinds import ENGLISH_KINDS
from dispatcher.store.incident_history import Happened

ENGLISH = Words(
    product="Car-sharing operations",
    skip_to_content="Skip to content",
    board="Board",
    incidents="Incidents",
    sign_out="Sign out",
    preferences="Language and theme",
    language_names=MappingProxyType({Language.FR: "Français", Language.EN: "English"}),
    themes=MappingProxyType({"auto": "As the device", "dark": "Dark", "light": "Light"}),
    live_connecting="Connecting",
    no_script="Not live: this page needs JavaScript to follow what happens. Load it again to see what is true now.",
    as_seen_at="as of",
    sign_in="Sign in",
    sign_in_help="Your token, as it was given to you. What you do here is signed with its name.",
    token="Token",  # noqa: S106  # a word, no secret
    refused="That is not possible",
    back_to_board="Back to the board",
    reasons=MappingProxyType({reason: title for reason, (_, title) in PROBLEMS.items()}),
    weekdays=("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    day="{weekday} {day} {month}",
    under_a_minute="less than a minute",
    minutes="{count} min",
    hours="{count} h",
    days="{count} days",
    ago="{span} ago",
    ahead="in {span}",
    kinds=ENGLISH_KINDS,
    severities=MappingProxyType({"urgent": "urgent", "warning": "warning", "info": "note"}),
    severity_counts=MappingProxyType({"urgent": "urgent", "warning": "warnings", "info": "notes"}),
    all_well="Nothing is wrong that the system knows of.",
    more_open="{count} more are open: see the list of incidents.",
    since="since",
    where="Where",
    whole_network="the network",
    unknown_place="no place",
    slot="slot {number}",
    for_whom="For whom",
    nobody_soon="Nobody has booked this within 24 hours.",
    its_booking="Its booking:",
    next_booking="Next booking:",
    one_more_booking="and one more within 24 hours",
    more_bookings="and {count} more within 24 hours",
    by_itself="The system",
    what_to_do="To do",
    expected="Expected",
    seen="Seen",
    details="What was expected, what is seen",
    came_back="came back {count}×",
    acknowledged_by="seen by {name}",
    not_acknowledged="seen by nobody",
    assigned_to="with {name}",
    unassigned="with nobody",
    acknowledge="Acknowledge",
    assign_to_me="I take it",
    open_incident="Open",
    open_now="Open now",
    closed_before="Closed, newest first",
    older="Older ones",
    newest="The newest",
    closed_at="closed",
    history="History",
    happened=MappingProxyType(
        {
            Happened.OPENED: "opened",
            Happened.UPDATED: "seen differently",
            Happened.CLOSED: "closed",
            Happened.ACKNOWLEDGED: "acknowledged",
            Happened.ASSIGNED: "assigned",
            Happened.COMMENTED: "wrote",
        }
    ),
    by_program="the system",
    comment="Comment",
    comment_help="What was found or done. No names of members: it is kept with the incident.",
    send="Write",
    assignee="Who looks after it",
    assign="Assign",
    opened="opened",
    updated="last change",
    booking_states=MappingProxyType(
        {
            BookingState.BOOKED: "booked",
            BookingState.ACTIVE: "under way",
            BookingState.RETURNED: "key is back",
            BookingState.COMPLETED: "completed",
            BookingState.CANCELLED: "cancelled",
            BookingState.NO_SHOW: "no-show",
        }
    ),
    manual="The manual",
    no_manual="The manual is not installed beside this program.",
    stations="Stations",
    network_map="Map",
    map_help="In each circle the cars that could be taken now; a square and an exclamation mark where"
    " something is wrong.",
    legend="What the slots show",
    shown=MappingProxyType(
        {
            Shown.KEY: "key here",
            Shown.PRESUMED: "presumed",
            Shown.WRONG_SLOT: "key in the wrong slot",
            Shown.UNKNOWN_KEY: "unknown key",
            Shown.OUT: "key out",
            Shown.OVERDUE: "key overdue",
            Shown.MISSING: "key missing",
            Shown.ELSEWHERE: "key with somebody",
            Shown.AWAY: "key hangs elsewhere",
            Shown.EMPTY: "empty",
            Shown.SPARE: "spare",
            Shown.OUT_OF_USE: "out of use",
            Shown.UNKNOWN: "unknown",
        }
    ),
    heard=MappingProxyType(
        {
            Heard.FRESH: "heard {time}",
            Heard.STALE: "report overdue, heard {time}",
            Heard.SILENT: "silent since {time}",
            Heard.NEVER: "never heard",
        }
    ),
    clock_doubtful="clock not trusted",
    free_cars="{free} of {cars} free",
    no_cars="no car lives here",
    free_slots="{count} free for returns",
    back_at="back {time}",
    late_since="due {time}",
    blocked="vehicle blocked",
    door_open="door open",
    keys_in="Its keys hang in {cabinets}.",
    no_cabinet="No key cabinet is in service here.",
    with_problems="{count} to look at",
    script=MappingProxyType(
        {
            "live": "Live",
            "lost": "Not live since",
            "connecting": "Connecting",
            "signed_out": "Signed out: sign in again",
            "new_incident": "New incident",
            "working": "One moment …",
            "done": "Done.",
            "no_answer": "No answer. Nothing is lost: press again, it is done once.",
            "unknown_refusal": "Refused",
        }
    ),
)
