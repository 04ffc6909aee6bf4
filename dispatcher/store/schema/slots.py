"""Slots that are not as the others."""

from dispatcher.store.columns import integer, one_of, ref, word
from dispatcher.store.schema.base import table

SLOT_USES = ("spare", "out_of_use")

slot_uses = table(
    "slot_uses",
    ref("cabinet_id", "cabinets.id", primary_key=True),
    integer("slot", primary_key=True),
    word("use"),
    one_of("use", SLOT_USES),
)
"""A slot without a row is in use. In `spare` and `out_of_use` ones no key lives."""
