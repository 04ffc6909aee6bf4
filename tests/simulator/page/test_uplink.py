import asyncio

from simulator.page.uplink import uplink
from tests.runtime.waiting import eventually


async def test_a_way_passes_bytes_on_until_it_is_cut_and_again_when_it_is_mended() -> None:
    echoing = set()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        echoing.add(asyncio.current_task())
        while data := await reader.read(100):
            writer.write(data.upper())
        writer.close()
        echoing.discard(asyncio.current_task())

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, uplink("127.0.0.1", port) as way:
        reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
        writer.write(b"hello")
        assert await reader.read(100) == b"HELLO"
        assert way.is_connected
        way.cut()
        assert await reader.read(100) == b"", "the connection ends"
        writer.close()
        await eventually(lambda: not way.is_connected)
        reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
        assert await reader.read(100) == b"", "no other comes about"
        writer.close()
        way.mend()
        reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
        writer.write(b"again")
        assert await reader.read(100) == b"AGAIN"
        writer.close()
        await eventually(lambda: not (way.is_connected or echoing))


async def test_where_there_is_no_broker_whoever_connects_is_hung_up_on() -> None:
    async with uplink("127.0.0.1", 9) as way:
        reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
        assert await reader.read(100) == b""
        writer.close()
