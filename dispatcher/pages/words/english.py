"""The pages in English."""

from types import MappingProxyType

from dispatcher.api.problems import PROBLEMS
from dispatcher.pages.words.catalogue import Language, Words
from dispatcher.pages.words.english_kinds import ENGLISH_KINDS

ENGLISH = Words(
    product="Car-sharing operations",
    skip_to_content="Skip to content",
    board="Board",
    incidents="Incidents",
    sign_out="Sign out",
    preferences="Language and theme",
    language_names=MappingProxyType({Language.FR: "Français", Language.EN: "English"}),
    themes=MappingProxyType({"auto": "As the device", "dark": "Dark", "light": "Light"}),
    no_script="Not live: this page needs JavaScript to follow what happens. Load it again to see what is true now.",
    as_seen_at="as of",
    sign_in="Sign in",
    sign_in_help="Your token, as `dispatcher token new` printed it. What you do here is signed with its name.",
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
    script=MappingProxyType(
        {
            "working": "One moment …",
            "done": "Done.",
            "no_answer": "No answer. Nothing is lost: press again, it is done once.",
            "unknown_refusal": "Refused",
        }
    ),
)
