"""What was asked for and could not be had: counts, without a person (domain.md, rule 18)."""

from dispatcher.store.columns import integer, word
from dispatcher.store.schema.base import table

unmet_demand = table(
    "unmet_demand",
    integer("hour_ms", primary_key=True),
    word("station_id", primary_key=True),
    word("category", primary_key=True),
    word("reason", primary_key=True),
    word("source", primary_key=True),
    integer("count"),
)
"""`hour_ms`: the hour in which the vehicle was wanted. Station or category empty: any would have done.
`source`: `search` or `booking`. Nothing in it is of a person, and it is kept."""
