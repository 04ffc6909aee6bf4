"""What came from the broker: checked, counted, and told to the agent as what it is."""

import hashlib
from collections.abc import Callable

from contract.envelope import BadMessage, EnvelopeFault, VerifyKey, verify
from contract.messages import Acknowledged, Command, Desired, TimeReply
from contract.topics import ACKNOWLEDGED, COMMANDS, DESIRED, TIME, VEHICLE_RAW, parse_topic
from runtime.link import Incoming, Subscription
from runtime.rejects import Rejects
from station_agent.config import StationConfig
from station_agent.core.model import CommandArrived, DesiredArrived, VehicleRead
from station_agent.drivers.declaration import VehicleDriver
from station_agent.drivers.tables import VehicleTable
from station_agent.drivers.trackers import TrackerMessages

FromCentre = DesiredArrived | CommandArrived | Acknowledged | TimeReply | VehicleRead


class Inbox:
    """Verifies and sorts messages. What does not parse or verify is counted by reason and harms nothing."""

    def __init__(
        self,
        config: StationConfig,
        find_key: Callable[[str], VerifyKey | None],
        now_ms: Callable[[], int],
        rejects: Rejects,
    ) -> None:
        self._config = config
        self._find_key = find_key
        self._now_ms = now_ms
        self.rejects = rejects
        by_topic = [vehicle for vehicle in config.vehicles if vehicle.line is None]
        self._vehicles = {vehicle.tracker or vehicle.id: vehicle.id for vehicle in by_topic}
        self._trackers = {vehicle.id: _messages(config, vehicle) for vehicle in by_topic}

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        namespace, cabinet = self._config.namespace, self._config.cabinet
        own = [
            Subscription(rule.topic(namespace, cabinet), no_local=rule is TIME)
            for rule in (DESIRED, ACKNOWLEDGED, COMMANDS, TIME)
        ]
        trackers = [Subscription(VEHICLE_RAW.topic(namespace, tracker)) for tracker in self._vehicles]
        return (*own, *trackers)

    @property
    def trackers(self) -> dict[str, TrackerMessages]:
        """Codecs of trackers that speak over MQTT, by vehicle, for their counters."""
        return self._trackers

    def read(self, incoming: Incoming) -> FromCentre | None:
        """What a message means; None where it means nothing to this agent."""
        topic = parse_topic(incoming.topic, self._config.namespace)
        if topic is None:
            bad = BadMessage(EnvelopeFault.WRONG_TOPIC, "no topic of the contract")
            self.rejects.add(incoming.topic, len(incoming.payload), bad)
            return None
        if topic.rule is VEHICLE_RAW:
            if incoming.retained:
                return None  # nobody may retain a tracker's message: it says nothing about now
            return self._vehicle(topic.subject, incoming.payload)
        try:
            message = verify(incoming.payload, topic, self._find_key)
        except BadMessage as error:
            self.rejects.add(incoming.topic, len(incoming.payload), error)
            return None
        if isinstance(message, Desired):
            digest = hashlib.sha256(incoming.payload).hexdigest()
            return DesiredArrived(message, incoming.payload, digest)
        if isinstance(message, Command):
            return CommandArrived(message)
        if isinstance(message, Acknowledged | TimeReply):
            return message
        return None  # our own question about the time, from a broker without no-local

    def _vehicle(self, tracker: str, payload: bytes) -> VehicleRead | None:
        vehicle = self._vehicles.get(tracker)
        if vehicle is None:
            return None
        report = self._trackers[vehicle].read(self._now_ms(), payload)
        return None if report is None else VehicleRead(vehicle, report.reading, report.tracker_ms, report.position)


def _messages(config: StationConfig, vehicle: VehicleTable) -> TrackerMessages:
    driver = config.driver_of(vehicle)
    assert isinstance(driver, VehicleDriver), "the configuration holds each driver to its kind"
    assert driver.messages is not None, "the configuration was checked"
    return driver.messages(vehicle)
