import pytest

from contract import topics
from contract.topics import TOPICS, Author, parse_topic


@pytest.mark.parametrize("rule", TOPICS, ids=lambda rule: rule.channel)
def test_every_topic_is_parsed_back_to_its_rule_and_subject(rule: topics.TopicRule) -> None:
    parsed = parse_topic(rule.topic("lilas", "gare-1"), "lilas")
    assert parsed is not None
    assert parsed.rule is rule
    assert parsed.subject == "gare-1"


@pytest.mark.parametrize(
    "topic",
    [
        "other/v1/cabinets/gare-1/facts",
        "lilas/v2/cabinets/gare-1/facts",
        "lilas/v1/cabinets//facts",
        "lilas/v1/cabinets/gare-1",
        "lilas/v1/cabinets/gare-1/facts/more",
        "lilas/v1/cabinets/gare-1/unknown",
        "",
    ],
)
def test_other_topics_are_not_ours(topic: str) -> None:
    assert parse_topic(topic, "lilas") is None


def test_whole_states_are_retained_and_facts_and_commands_never() -> None:
    retained = {rule.channel for rule in TOPICS if rule.retain}
    assert retained == {
        "cabinets/{id}/presence",
        "cabinets/{id}/reported",
        "cabinets/{id}/desired",
        "cabinets/{id}/acknowledged",
        "dispatchers/{id}/presence",
    }


def test_only_trackers_speak_unsigned() -> None:
    assert [rule for rule in TOPICS if not rule.signed] == [topics.VEHICLE_RAW]
    assert topics.VEHICLE_RAW.authors == {Author.TRACKER}
