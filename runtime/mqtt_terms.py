"""Our terms in paho's and back: properties, wills, messages, and the reasons why a connection ended."""

from typing import Any, NamedTuple

import aiomqtt
from paho.mqtt.client import DisconnectFlags, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from runtime.link import PAYLOAD_BYTES_MAX, Incoming, LinkEnd, Publication, Subscription
from runtime.mqtt_inbox import RECEIVE_MAX

HEADER_BYTES_MAX = 8192  # room for topic and properties beside the payload: ours stay below 1 KiB

# reason codes, MQTT 5 section 2.4
NORMAL = 0x00
PROTOCOL_ERROR = 0x82
KEEPALIVE_TIMEOUT = 0x8D
SESSION_TAKEN_OVER = 0x8E
PACKET_TOO_LARGE = 0x95

ADVICE = {  # on the reason codes of CONNACK, section 3.2.2.2
    0x84: "the broker does not speak MQTT 5",
    0x85: "the broker does not accept our client id",
    0x86: "check username and password_file",
    0x87: "check username and password_file, our certificate, and the broker's list of accounts",
    0x8A: "the broker has banned this client",
}


class Ended(NamedTuple):
    """Why an attempt failed or a connection ended. The text is for the operator."""

    why: LinkEnd
    text: str


OWN_ENDS = {  # the codes that paho gives to ends which no packet explains
    NORMAL: Ended(LinkEnd.STOPPED, "we disconnected"),
    PROTOCOL_ERROR: Ended(LinkEnd.PROTOCOL_ERROR, "what the broker sent is not MQTT"),
    KEEPALIVE_TIMEOUT: Ended(LinkEnd.KEEPALIVE, "the broker fell silent"),
}


def _properties(packet_type: int) -> Any:
    """Of type Any, since the attributes of paho's class exist at run time only."""
    return Properties(packet_type)  # type: ignore[no-untyped-call]  # for the same reason


def connect_properties() -> Any:
    properties = _properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 0  # nothing of record rests in a broker
    properties.ReceiveMaximum = RECEIVE_MAX
    properties.MaximumPacketSize = PAYLOAD_BYTES_MAX + HEADER_BYTES_MAX
    return properties


def publish_properties(publication: Publication, packet_type: int = PacketTypes.PUBLISH) -> Any:
    if publication.expiry_s is None and not publication.user_properties:
        return None
    properties = _properties(packet_type)
    if publication.expiry_s is not None:
        properties.MessageExpiryInterval = publication.expiry_s
    if publication.user_properties:
        properties.UserProperty = list(publication.user_properties)
    return properties


def will_of(publication: Publication | None) -> aiomqtt.Will | None:
    if publication is None:
        return None
    return aiomqtt.Will(
        publication.topic,
        publication.payload,
        publication.qos,
        publication.retain,
        publish_properties(publication, PacketTypes.WILLMESSAGE),
    )


def subscribe_options(subscription: Subscription) -> SubscribeOptions:
    return SubscribeOptions(qos=subscription.qos, noLocal=subscription.no_local)


def incoming_of(message: MQTTMessage) -> Incoming:
    """Raises UnicodeDecodeError for a topic that is not UTF-8."""
    return Incoming(
        topic=message.topic,
        payload=bytes(message.payload),
        qos=message.qos,
        retained=message.retain,
        user_properties=tuple(getattr(message.properties, "UserProperty", ())),
    )


def refusal_of(reason: ReasonCode) -> Ended:
    advice = ADVICE.get(reason.value)
    text = f"the broker refused the connection: {reason} (0x{reason.value:02x})"
    return Ended(LinkEnd.REFUSED, f"{text}: {advice}" if advice else text)


def end_of(flags: DisconnectFlags, reason: ReasonCode) -> Ended:
    """What paho's `on_disconnect` means."""
    if flags.is_disconnect_packet_from_server:
        if reason.value == SESSION_TAKEN_OVER:
            return Ended(LinkEnd.TAKEN_OVER, "another client connected under our client id")
        return Ended(LinkEnd.CLOSED_BY_BROKER, f"the broker closed the connection: {reason}")
    return OWN_ENDS.get(reason.value, Ended(LinkEnd.LOST, "the connection broke"))
