"""The ways in which stations are pointed at another back-end, and those that stay away."""

from __future__ import annotations

from typing import Any

import pytest

NEW = "ws://new/ocpp"


def last_dial(b: Any) -> str:
    return str(b.opened[-1][1])


def test_a_key_that_acts_at_once_repoints_without_a_reboot_and_carries_the_charge(bench: Any) -> None:
    """OCPP 1.6 §5.3: Accepted is effective at once."""
    b = bench("ac-swift").boot().charge()
    assert b.call("ChangeConfiguration", key="OcppServer", value=NEW) == {"status": "Accepted"}
    b.run(60)
    assert last_dial(b) == f"{NEW}/ST-1"
    assert b.actions("BootNotification") == ["BootNotification"] * 2
    assert b.payloads("StopTransaction") == [] and b.sessions() == []


def test_the_key_of_a_station_that_needs_a_reboot_does_nothing_before_it(bench: Any) -> None:
    b = bench("ac-compact").boot()
    assert b.call("ChangeConfiguration", key="BackendUrl", value=NEW) == {"status": "RebootRequired"}
    assert last_dial(b.run(600)) == "ws://legacy/ocpp/ST-1"
    b.call("Reset", type="Soft")
    assert last_dial(b.run(120)) == f"{NEW}/ST-1"


@pytest.mark.parametrize("name", ["ac-yard", "ac-image", "ac-cloud"])
def test_an_address_that_was_set_outside_ocpp_outlives_a_reboot(bench: Any, name: str) -> None:
    b = bench(name).boot()
    b.do("set-url", url=NEW, reboot=True).run(180)
    assert last_dial(b) == f"{NEW}/ST-1"
    b.do("power-loss").run(5).do("power-restored").run(180)
    assert last_dial(b) == f"{NEW}/ST-1"


def test_an_image_carries_the_address_and_its_progress_is_told(bench: Any) -> None:
    """OCPP 1.6 §5.19, MF-26: what runs is ended by the restart, and the station comes up at the address of the image."""
    b = bench("ac-image").boot().charge()
    b.table["FirmwareStatusNotification"] = {}
    location = f"https://images.example/ST-1.bin?backend={NEW}"
    assert b.call("UpdateFirmware", location=location, retrieveDate="2019-06-12T06:05:00Z") == {}
    b.run(900)
    told = [row["status"] for row in b.payloads("FirmwareStatusNotification")]
    assert told == ["Downloading", "Downloaded", "Installing", "Installed"]
    assert b.payloads("StopTransaction")[0]["reason"] == "Reboot"
    assert last_dial(b) == f"{NEW}/ST-1"


def test_an_image_that_cannot_be_read_leaves_the_station_as_it_was(bench: Any) -> None:
    b = bench("ac-image").boot()
    b.table["FirmwareStatusNotification"] = {}
    b.call("UpdateFirmware", location="https://images.example/broken.bin", retrieveDate="2019-06-12T06:00:00Z")
    b.run(900)
    assert [row["status"] for row in b.payloads("FirmwareStatusNotification")] == ["Downloading", "DownloadFailed"]
    assert last_dial(b) == "ws://legacy/ocpp/ST-1"


def test_a_station_of_another_route_takes_no_images(bench: Any) -> None:
    b = bench("ac-duo").boot()
    asked = {"location": "https://images.example/x", "retrieveDate": "2019-06-12T06:00:00Z"}
    assert b.call("UpdateFirmware", **asked) == "NotSupported"


@pytest.mark.parametrize("end", ["heal", "power", "technician"])
def test_a_station_that_stays_away_comes_back_by_itself_never(bench: Any, end: str) -> None:
    """MF-21: lost once, it does not dial again until somebody does something, a reset apart."""
    b = bench("ac-compact").boot()
    b.do("stay-away", on=True)
    b.call("Reset", type="Soft")
    dials = len(b.opened)
    assert len(b.run(7200).opened) == dials
    if end == "heal":
        b.do("stay-away", on=False)
    elif end == "power":
        b.do("power-loss").run(5).do("power-restored")
    else:
        b.do("set-url", url=NEW, reboot=True)
    assert len(b.run(180).opened) > dials
