"""Whether a network that was left alone came to rest, and nothing ended or piled up on the way."""

from collections.abc import Iterator

from simulator.hunt.scenario import Run

WAITING_MAX = 0  # nothing is under way any more after two minutes of calm


def not_at_rest(run: Run) -> Iterator[str]:
    """Programs that ended by themselves, facts that wait, desired states not taken, queues not empty."""
    world = run.world
    fates = {name: box.fate for name, box in world.boxes.items()}
    fates |= {centre.name: centre.fate for centre in (world.centre, world.other_centre)}
    for name, fate in fates.items():
        for crash in fate.crashes:
            yield f"{name}: the program ended by itself: {crash}"
    for cabinet, box in world.boxes.items():
        opened = box.opened
        if not box.is_alive or opened is None:
            yield f"{cabinet}: the agent does not run"
            continue
        if opened.journal.depth > WAITING_MAX:
            yield f"{cabinet}: {opened.journal.depth} facts are not acknowledged after {_calm_s(run)} s of calm"
        if box.link is None or not box.link.connected:
            yield f"{cabinet}: not connected after {_calm_s(run)} s of calm"
    dispatcher = world.centre.dispatcher
    if not world.centre.is_alive or dispatcher is None:
        yield "the dispatcher does not run"
        return
    if len(dispatcher.intake) > WAITING_MAX:
        yield f"{len(dispatcher.intake)} messages wait at the dispatcher"
    for what, count in (
        ("messages that the store could not take", dispatcher.intake.failed),
        ("rounds of the publisher that broke", dispatcher.publisher.failed),
        ("incidents that only a pass over everything found wrong", dispatcher.reconciler_differences),
    ):
        if count:
            yield f"dispatcher: {count} {what}"
    yield from _not_held(run)


def _not_held(run: Run) -> Iterator[str]:
    """Each box holds the newest wanted state that it was told."""
    told = run.world.told_versions()
    for cabinet, box in run.world.boxes.items():
        opened = box.opened
        if opened is None:
            continue
        held = opened.station.wanted.version
        if held != told.get(cabinet):
            yield f"{cabinet}: holds wanted state {held}, the dispatcher's is {told.get(cabinet)}"


def _calm_s(run: Run) -> int:
    return (run.heap.now_us() - run.calm_us) // 1_000_000
