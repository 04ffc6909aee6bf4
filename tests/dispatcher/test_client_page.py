"""The manual's page of the command line shows what the commands write."""

from tests.dispatcher.client_page import BLOCK, PAGE, as_it_is

BACKENDS = ("sqlite",)  # what is tested is on this side of the API


async def test_the_page_shows_what_the_commands_write() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert len(BLOCK.findall(page)) > 8
    assert await as_it_is() == page, "python -m tests.dispatcher.client_page writes it anew"
