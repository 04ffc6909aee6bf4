"""The page for who writes a booking front end: what it shows is run as it stands there."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

from tests.dispatcher.api_client import running_api

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
CLIENT = "api = httpx.AsyncClient("


async def test_the_ten_minutes_of_the_page_go_as_it_says() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert CLIENT in blocks[0]
    assert len(blocks) == 8
    async with running_api() as api:
        api.http.base_url = "http://api/api/v1/"
        names: dict[str, Any] = {"api": api.http}
        for block in blocks[1:]:
            code = compile(block, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            done = eval(code, names)  # noqa: S307  # the page of this repository
            if inspect.isawaitable(done):
                await done
        assert names["booking"]["member_id"] == "m-alix"
        assert len(names["vehicles"]) == 4
