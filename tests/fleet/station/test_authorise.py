"""Who may charge: local list, cache, Authorize, online and offline (OCPP 1.6 §3.5, §4.1)."""

from __future__ import annotations

from typing import Any

import pytest

MINUTE = 60
ACCEPTED = {"status": "Accepted"}


def listed(b: Any, version: int = 1, kind: str = "Full", **tags: str) -> Any:
    rows = [{"idTag": tag, "idTagInfo": {"status": status}} for tag, status in tags.items()]
    return b.call("SendLocalList", listVersion=version, updateType=kind, localAuthorizationList=rows)


def offline(b: Any) -> Any:
    b.refusing = True
    return b.cut()


def test_an_unknown_token_is_asked_about(bench: Any) -> None:
    b = bench("ac-duo").boot().charge(token="NEW")
    assert b.payloads("Authorize") == [{"idTag": "NEW"}] and b.texts() == ["authorized", "charging"]


@pytest.mark.parametrize("status", ["Blocked", "Expired", "Invalid", "ConcurrentTx"])
def test_a_token_that_the_back_end_does_not_accept_is_refused(bench: Any, status: str) -> None:
    b = bench("ac-duo").boot()
    b.table["Authorize"] = {"idTagInfo": {"status": status}}
    b.charge()
    assert b.texts() == ["refused"] and b.actions("StartTransaction") == [] and b.statuses()[-1] == "Preparing"


def test_a_refused_token_without_a_cable_leaves_the_connector_available(bench: Any) -> None:
    b = bench("ac-duo").boot()
    b.table["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
    assert b.do("swipe", connector=1, token="T").run(5).statuses() == ["Available", "Preparing", "Available"]


def test_with_local_preauthorize_listed_and_cached_tokens_start_without_asking(bench: Any) -> None:
    b = bench("ac-duo").boot()
    listed(b, LISTED="Accepted")
    b.charge(token="listed").do("unplug", connector=1).run(5)
    b.charge(token="NEW").do("unplug", connector=1).run(5).charge(token="NEW")
    assert [p["idTag"] for p in b.payloads("Authorize")] == ["NEW"]
    assert len(b.actions("StartTransaction")) == 3


def test_without_local_preauthorize_every_start_is_asked_about_while_online(bench: Any) -> None:
    b = bench("ac-compact").boot()
    listed(b, TAG="Accepted")
    b.charge().do("unplug", connector=1).run(5).charge()
    assert len(b.actions("Authorize")) == 2


def test_a_listed_token_that_is_not_accepted_is_asked_about_online(bench: Any) -> None:
    b = bench("ac-duo").boot()
    listed(b, TAG="Blocked")
    assert b.charge().actions("Authorize") == ["Authorize"]


def test_offline_a_listed_or_cached_token_starts_and_an_unknown_one_does_not(bench: Any) -> None:
    b = bench("ac-duo").boot()
    listed(b, LISTED="Accepted", BAD="Blocked")
    b.charge(token="CACHED").do("unplug", connector=1).run(5)
    offline(b)
    for token in ("LISTED", "CACHED", "BAD", "STRANGER"):
        b.charge(token=token).do("unplug", connector=1).run(5)
    assert [text for text in b.texts()[3:] if text in ("authorized", "refused", "no-answer")] == [
        "authorized",
        "authorized",
        "refused",
        "no-answer",
    ]


def test_offline_nobody_starts_if_local_authorisation_is_switched_off(bench: Any) -> None:
    b = bench("ac-duo", keys={"LocalAuthorizeOffline": "false"}).boot()
    listed(b, TAG="Accepted")
    offline(b).charge()
    assert b.texts() == ["no-answer"]


def test_offline_unknown_tokens_start_if_that_is_allowed_but_known_bad_ones_never(bench: Any) -> None:
    b = bench("ac-duo", keys={"AllowOfflineTxForUnknownId": "true"}).boot()
    listed(b, BAD="Blocked")
    offline(b).charge(token="BAD").do("unplug", connector=1).run(5).charge(token="STRANGER")
    assert b.texts() == ["refused", "authorized", "charging"]
    assert "cache/stranger" not in b.rig.flash


def test_an_authorize_without_an_answer_falls_back_to_the_offline_rules(bench: Any, world: Any) -> None:
    b = bench("ac-compact").boot()
    listed(b, LISTED="Accepted")
    b.table["Authorize"] = world.silent
    b.charge(token="LISTED").run(40)
    assert b.texts()[0] == "authorized"
    b.do("unplug", connector=1).run(MINUTE).charge(token="STRANGER").run(60)
    assert b.texts()[-1] == "no-answer"


def test_a_cable_pulled_while_the_back_end_thinks_starts_nothing(bench: Any) -> None:
    b = bench("ac-duo").boot().plug().run(5).do("swipe", connector=1, token="T").do("unplug", connector=1).run(5)
    assert b.actions("Authorize") == ["Authorize"] and b.actions("StartTransaction") == []
    assert b.statuses()[-1] == "Available"


def test_an_expired_token_does_not_start_offline(bench: Any) -> None:
    b = bench("ac-duo").boot()
    info = {"status": "Accepted", "expiryDate": "2019-06-12T06:30:00Z"}
    b.table["StartTransaction"] = lambda p: {"idTagInfo": info, "transactionId": 5}
    b.charge().do("unplug", connector=1).run(5)
    offline(b).charge().do("unplug", connector=1).run(40 * MINUTE).charge()
    assert b.texts()[-1] == "refused" and b.texts().count("authorized") == 2


def test_the_cache_learns_from_start_answers_too(bench: Any) -> None:
    b = bench("ac-duo").boot()
    b.table["StartTransaction"] = lambda p: {"idTagInfo": {"status": "Blocked"}, "transactionId": 5}
    b.charge()
    assert b.rig.flash["cache/tag"][0] == "Blocked"


def test_clear_cache_empties_it_and_is_rejected_where_there_is_none(bench: Any) -> None:
    b = bench("ac-duo").boot().charge()
    assert b.call("ClearCache") == ACCEPTED and "cache/tag" not in b.rig.flash
    b.call("ChangeConfiguration", key="AuthorizationCacheEnabled", value="false")
    assert b.call("ClearCache") == {"status": "Rejected"}
    b.do("unplug", connector=1).run(5).charge()
    assert "cache/tag" not in b.rig.flash and len(b.actions("Authorize")) == 2


def test_a_full_cache_forgets_what_is_not_accepted_first(bench: Any, world: Any) -> None:
    memory = type(world.profile("ac-duo").memory)(cache_entries=2)
    b = bench("ac-duo", memory=memory).boot()
    verdict = {"A": "Accepted", "B": "Blocked", "C": "Accepted", "D": "Accepted"}
    b.table["Authorize"] = lambda p: {"idTagInfo": {"status": verdict[p["idTag"]]}}
    for tag in "ABCD":
        b.charge(token=tag).do("unplug", connector=1).run(5)
    assert sorted(key for key in b.rig.flash if key.startswith("cache/")) == ["cache/c", "cache/d"]


def test_cache_and_list_survive_a_power_loss(bench: Any) -> None:
    b = bench("ac-duo").boot()
    listed(b, version=7, LISTED="Accepted")
    b.charge(token="CACHED").do("unplug", connector=1).run(5)
    b.do("power-loss").do("power-restored").run(2 * MINUTE)
    assert b.call("GetLocalListVersion") == {"listVersion": 7}
    offline(b).charge(token="LISTED").do("unplug", connector=1).run(5).charge(token="CACHED")
    assert b.texts()[-2:] == ["authorized", "charging"]


# -- local list -----------------------------------------------------------------------------------------------------------


def test_a_full_list_replaces_and_a_differential_one_adds_and_deletes(bench: Any) -> None:
    b = bench("ac-duo").boot()
    assert b.call("GetLocalListVersion") == {"listVersion": 0}
    assert listed(b, 1, A="Accepted", B="Accepted") == ACCEPTED
    rows = [{"idTag": "A"}, {"idTag": "C", "idTagInfo": {"status": "Accepted", "parentIdTag": "G"}}]
    answer = b.call("SendLocalList", listVersion=2, updateType="Differential", localAuthorizationList=rows)
    assert answer == ACCEPTED and b.call("GetLocalListVersion") == {"listVersion": 2}
    assert sorted(b.rig.flash["list"]["entries"]) == ["b", "c"]
    assert listed(b, 1, D="Accepted") == ACCEPTED
    assert b.rig.flash["list"]["version"] == 1


def test_a_differential_list_with_an_old_version_is_a_version_mismatch(bench: Any) -> None:
    b = bench("ac-duo").boot()
    listed(b, 5, A="Accepted")
    assert listed(b, 5, "Differential", B="Accepted") == {"status": "VersionMismatch"}
    assert list(b.rig.flash["list"]["entries"]) == ["a"]


@pytest.mark.parametrize(
    "bad",
    [
        {"listVersion": 0, "updateType": "Full"},
        {"listVersion": -1, "updateType": "Full"},
        {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [{"idTag": "A"}]},
        {
            "listVersion": 1,
            "updateType": "Full",
            "localAuthorizationList": [{"idTag": tag, "idTagInfo": ACCEPTED} for tag in ("A", "a")],
        },
        {
            "listVersion": 1,
            "updateType": "Full",
            "localAuthorizationList": [{"idTag": f"T{n}", "idTagInfo": ACCEPTED} for n in range(1001)],
        },
    ],
)
def test_a_list_that_cannot_be_is_failed_and_changes_nothing(bench: Any, bad: dict[str, Any]) -> None:
    b = bench("ac-duo").boot()
    assert b.call("SendLocalList", **bad) == {"status": "Failed"}
    assert "list" not in b.rig.flash


def test_a_list_that_is_switched_off_is_not_supported_and_has_version_minus_1(bench: Any) -> None:
    b = bench("ac-duo", keys={"LocalAuthListEnabled": "false"}).boot()
    assert listed(b, 1, A="Accepted") == {"status": "NotSupported"}
    assert b.call("GetLocalListVersion") == {"listVersion": -1}


def test_listed_tokens_are_never_cached_and_the_list_beats_the_cache(bench: Any) -> None:
    b = bench("ac-duo").boot().charge(token="TAG").do("unplug", connector=1).run(5)
    assert "cache/tag" in b.rig.flash
    listed(b, TAG="Blocked")
    assert "cache/tag" not in b.rig.flash
    offline(b).charge(token="TAG")
    assert b.texts()[-1] == "refused"


# -- ending by token ------------------------------------------------------------------------------------------------------


def test_the_same_token_ends_its_transaction_without_asking_whatever_its_case(bench: Any) -> None:
    b = bench("ac-compact").boot().charge(token="Tag").do("swipe", connector=1, token="TAG").run(5)
    assert len(b.actions("Authorize")) == 1
    assert b.payloads("StopTransaction")[0]["idTag"] == "TAG"


def test_another_token_of_the_same_group_ends_it_and_a_stranger_does_not(bench: Any) -> None:
    b = bench("ac-compact").boot()
    groups = {"A": "G", "B": "G", "C": "H"}
    b.table["Authorize"] = lambda p: {"idTagInfo": {"status": "Accepted", "parentIdTag": groups[p["idTag"]]}}
    b.charge(token="A").do("swipe", connector=1, token="C").run(5)
    assert b.texts()[-1] == "refused" and b.actions("StopTransaction") == []
    b.do("swipe", connector=1, token="B").run(5)
    assert b.payloads("StopTransaction")[0]["idTag"] == "B"


def test_a_transaction_without_a_group_is_ended_by_its_own_token_only(bench: Any) -> None:
    b = bench("ac-compact").boot().charge(token="A").do("swipe", connector=1, token="B").run(5)
    assert b.texts()[-1] == "refused" and len(b.actions("Authorize")) == 1


def test_a_group_member_in_the_cache_may_end_it_offline(bench: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot()
    b.table["Authorize"] = {"idTagInfo": {"status": "Accepted", "parentIdTag": "G"}}
    b.table["StartTransaction"] = lambda p: {
        "idTagInfo": {"status": "Accepted", "parentIdTag": "G"},
        "transactionId": 1 + p["connectorId"],
    }
    b.charge(1, token="A").charge(2, token="B")
    offline(b).do("swipe", connector=1, token="B").run(5)
    assert b.texts()[-1] == "finished"
