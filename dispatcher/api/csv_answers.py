"""Reports as CSV (RFC 4180): the same fields as in JSON, one line each, for spreadsheets."""

import csv
import io
from collections.abc import Sequence
from typing import Any, Literal

from fastapi import Request, Response

from dispatcher.api.resources import Responses, answers
from dispatcher.api.values import Answer

CSV = "text/csv"
Format = Literal["json", "csv"]
ALSO_CSV: Responses = {**answers(422), 200: {"content": {CSV: {"schema": {"type": "string"}}}}}
"""What a report answers: `responses` of its route."""


def wants_csv(request: Request, wanted: Format) -> bool:
    """By the query, or by the header `Accept`."""
    return wanted == "csv" or CSV in request.headers.get("accept", "")


def csv_answer(model: type[Answer], lines: Sequence[Answer]) -> Response:
    """A header of the model's fields, then the lines; empty: not known, or suppressed."""
    text = io.StringIO()
    names = list(model.model_fields)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(names)
    for line in lines:
        writer.writerow([_cell(getattr(line, name)) for name in names])
    return Response(text.getvalue(), media_type=CSV)


def _cell(value: Any) -> Any:
    """Several in one cell with semicolons between them, the parts of each with colons."""
    match value:
        case dict():
            return ";".join(f"{name}:{number}" for name, number in value.items())
        case list():
            return ";".join(":".join(str(part) for part in each.model_dump().values()) for each in value)
        case bool():
            return str(value).lower()
    return "" if value is None else value
