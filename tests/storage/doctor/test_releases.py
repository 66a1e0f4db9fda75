"""Whether telemetry and announced deploys go by the same names."""

import pytest

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.ids import IdMaker
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.record import record_announcement
from miniapm.storage.doctor.releases import examine_releases
from miniapm.storage.observed.record import observe_releases
from miniapm.storage.projects import Project
from tests.factories import START, make_announcement
from tests.storage.telemetry_rows import BASE, Telemetry

SHOP = Project(1, "shop", "Shop", START)
SHA = "a1" * 20


class Doctor:
    """Telemetry and announcements of the project shop, and what is found."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.telemetry = Telemetry(connection)
        self.now = BASE + 6 * HOUR
        self.telemetry.now = self.now
        self._make_id = IdMaker(lambda: self.now)

    def announce(
        self, git_sha: str, minutes: float, env: str = "production", service: str = "shop"
    ) -> None:
        at = BASE + round(minutes * MINUTE)
        announcement = make_announcement(git_sha=git_sha, at=at, env=env, service=service)
        record_announcement(self.connection, announcement, self._make_id(), HOUR)

    def find(self) -> list[str]:
        observe_releases(self.connection, self._make_id, self.now)
        return [f.sentence for f in examine_releases(self.connection, SHOP, self.now)]


@pytest.fixture
def doctor(connection: Connection) -> Doctor:
    return Doctor(connection)


def test_where_both_agree_there_is_nothing_to_say(doctor: Doctor) -> None:
    doctor.telemetry.show("v1", SHA, 5)
    doctor.announce(SHA, 4)
    doctor.announce("b2" * 20, 4, env="staging")
    doctor.telemetry.show("v1", "b2" * 20, 5, env="staging")
    assert doctor.find() == []


def test_only_one_of_both_is_no_finding(doctor: Doctor) -> None:
    doctor.telemetry.show("v1", SHA, 5)
    assert doctor.find() == []


def test_two_names_of_one_environment_are_told(doctor: Doctor) -> None:
    doctor.telemetry.show("v1", SHA, 5, env="prod")
    doctor.announce(SHA, 4)
    assert doctor.find() == [
        "Telemetry of shop comes from shop in prod, where no deploy is announced; deploys are "
        "announced for shop in production, from which no telemetry comes."
    ]
    doctor.now += 30 * DAY
    assert doctor.find() == []


def test_a_lane_is_told_once_and_never_as_the_name_of_what_serves(doctor: Doctor) -> None:
    doctor.telemetry.show("v1", SHA, 5)
    doctor.announce(SHA, 4)
    # another environment of a service that is announced as it should be
    doctor.telemetry.show("v1", SHA, 5, env="prod-eu")
    assert doctor.find() == [
        "shop in prod-eu of shop sends telemetry, but no deploy of it was ever announced."
    ]
    # spelled alike, though neither service nor environment is the same
    doctor.announce(SHA, 4, env="prod_eu", service="webshop")
    doctor.telemetry.show("v1", SHA, 5, env="prod-eu", service="web-shop")
    doctor.announce("b2" * 20, 4, env="prod-eu")
    assert doctor.find() == [
        "Telemetry of shop comes from web-shop in prod-eu, where no deploy is announced; deploys "
        "are announced for webshop in prod_eu, from which no telemetry comes."
    ]


def test_what_was_announced_once_is_told_only_of_another_name(doctor: Doctor) -> None:
    doctor.announce(SHA, 4)
    doctor.now += 20 * DAY
    doctor.telemetry.now = doctor.now
    doctor.telemetry.show("v1", SHA, 20 * 24 * 60)
    assert doctor.find() == []
    doctor.announce("b2" * 20, 20 * 24 * 60, env="prod")
    [told] = doctor.find()
    assert "deploys are announced for shop in prod, from which no telemetry comes" in told


def test_two_names_of_each_version_are_told(doctor: Doctor) -> None:
    for number in range(5):
        doctor.telemetry.show(f"1.{number}", "", 10 * number + 5)
        doctor.announce(f"{number}c" * 20, 10 * number + 4)
    [told] = doctor.find()
    assert told == (
        "Of shop in production, telemetry names 1.4, 1.3, 1.2 and 2 more, which nobody announced, "
        "and deploys were announced of 4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c, "
        "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c, "
        "2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c and 1 more, which telemetry does not name."
    )
