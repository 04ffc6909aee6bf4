from simulator.network.lilas import lilas_network
from simulator.network.model import Standing
from simulator.page.people import people_of


def test_of_each_kind_there_is_one_who_is_what_they_are_said_to_be() -> None:
    network = lilas_network(1, 1)
    people = {person.id: person for person in people_of(network)}
    assert list(people) == ["member", "employee", "suspended", "old-card", "stranger", "staff"]
    assert [person.id for person in people.values() if person.books] == ["member", "employee", "staff"]
    assert [person.id for person in people.values() if person.pin] == ["employee"]
    known = {card for member in network.members for card in member.badges}
    assert {name for name, person in people.items() if person.card in known} == {"member", "employee", "suspended"}
    standing = network.member_by_id[people["suspended"].member or ""].standing
    assert standing is Standing.SUSPENDED
    assert len({person.card for person in people.values()}) == len(people)
