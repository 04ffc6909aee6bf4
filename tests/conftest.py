"""What holds for all tests."""

import pytest
from hypothesis import HealthCheck, settings

# Hypothesis counts what its first text needs (a table of all characters, kept in `.hypothesis`) as slow input:
# one second in a fresh clone on a busy machine, where the check then fails whichever test comes first. Its deadline
# of 200 ms for one example is the machine's too: half a second was seen where others used it.
settings.register_profile(
    "fresh clone",
    parent=settings.get_profile(settings.get_current_profile_name()),
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
)
settings.load_profile("fresh clone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of whole programs, which mostly wait, are spread among those that compute.

    Not the long ones: hunts take all cores for minutes, and programs that are timed come after them.
    """
    if config.getoption("markexpr") == "long":
        return
    count = len(items)
    waiting = [item for item in items if "wire" in item.path.parts]
    others = [item for item in items if "wire" not in item.path.parts]
    place: dict[pytest.Item, float] = {}
    for part in (waiting, others):
        place |= {item: (number + 0.5) * count / len(part) for number, item in enumerate(part)}
    items.sort(key=place.__getitem__)
