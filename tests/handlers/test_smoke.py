"""The smoke fetch as BeforeAllowTraffic uses it; what is right and wrong is judged in tests/domain/test_smoke.py."""

from dataclasses import replace
from typing import Any

import pytest

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.control import OutcomeKind
from bluegreen_cdn.domain.smoke import Answer
from bluegreen_cdn.handlers import before_allow_traffic


def before(plane: Any, build: str = "b2", **settings: Any) -> dict[str, object]:
    release = plane.releases.begin(build)
    return before_allow_traffic.run(plane.cloud(**settings), release.id, "e-1", lambda: 900.0)


def broken(answer: Answer) -> Answer:
    return replace(answer, status=503, said="origin is away")


def test_documents_and_all_other_files_are_asked_for_through_the_edge(plane: Any, lines: Any) -> None:
    assert before(plane)["succeeded"] is True
    paths = {"/", "/favicon.ico", "/assets/app-B3x9aZ0q.js", "/assets/page-b2b2b2b2.js"}
    assert set(plane.edge.asked) == {(path, encoding) for path in paths for encoding in ("identity", "gzip")}
    (told,) = [line for line in lines() if line["what"] == "smoke fetch went well"]
    assert (told["requests"], told["left_out"]) == (8, False)


def test_the_candidate_is_fetched_while_visitors_get_the_old_build(plane: Any) -> None:
    seen = []
    plane.edge.faults["/"] = lambda answer: seen.append((plane.routing, answer)) or answer
    assert before(plane)["succeeded"] is True
    routing, answer = seen[0]
    assert (routing.stable, routing.candidate, routing.weight) == ("a1", "b2", 0)
    assert answer.headers["x-amz-meta-build-id"] == "b2"


def test_what_is_wrong_refuses_the_release_with_address_and_both_sides(plane: Any) -> None:
    plane.edge.faults["/assets/page-b2b2b2b2.js"] = lambda answer: replace(
        answer, headers={**answer.headers, "content-type": "text/html"}
    )
    answer = before(plane)
    assert answer["succeeded"] is False
    expected = (
        "https://d111111abcdef8.cloudfront.net/assets/page-b2b2b2b2.js (gzip): content-type 'text/html' instead of "
        "'text/javascript; charset=utf-8'"
    )
    assert expected in str(answer["why"])
    assert (plane.outcome.kind, plane.outcome.build) == (OutcomeKind.REFUSED, "b2")
    assert expected in plane.outcome.reason
    assert (plane.routing.stable, plane.routing.weight) == ("a1", 0)
    assert list(plane.releases.answers.values()) == [False]


def test_an_edge_that_answers_with_the_old_build_is_noticed(plane: Any) -> None:
    """As when its function cannot read the secret, or does not know previews."""
    plane.store.write({}, deletes=[defaults.SECRET_KEY])
    assert "has no secret to sign previews with" in str(before(plane)["why"])
    plane.releases.history.clear()
    plane.store.write({defaults.SECRET_KEY: "f" * 64})
    edge_fetch = plane.edge.fetch
    plane.edge.fetch = lambda method, uri, headers: edge_fetch(method, uri, {**headers, "cookie": ""})
    assert "cloudfront.net/ (gzip): x-amz-meta-build-id 'a1' instead of 'b2'" in str(before(plane)["why"])


def test_documents_are_named_before_the_files_they_need(plane: Any) -> None:
    plane.edge.down = True
    why = str(before(plane)["why"])
    assert why.index("cloudfront.net/ (gzip)") < why.index("cloudfront.net/assets")
    assert "and 5 more" in why


def test_only_what_was_wrong_is_asked_for_again_until_it_is_right(plane: Any) -> None:
    plane.edge.faults["/favicon.ico"] = broken
    began = plane.clock.now()
    plane.clock.on_sleep = lambda: plane.clock.now() - began > 30 and plane.edge.faults.clear()
    assert before(plane)["succeeded"] is True
    assert 30 < plane.clock.now() - began < 40
    assert plane.edge.asked.count(("/", "identity")) == 1
    assert plane.edge.asked.count(("/favicon.ico", "identity")) > 5


def test_trying_again_ends_within_minutes(plane: Any) -> None:
    plane.edge.faults["/favicon.ico"] = broken
    began = plane.clock.now()
    assert "status 503 (origin is away) instead of 200" in str(before(plane)["why"])
    assert plane.clock.now() - began <= defaults.SMOKE_RETRY_MINUTES * 60


def test_a_distribution_where_everything_is_wrong_is_not_asked_for_all_of_it(
    plane: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The requests would raise the alarm on the edge's share of errors, which would stop the next release, too."""
    monkeypatch.setattr(defaults, "SMOKE_FAULTS", 2)
    monkeypatch.setattr(defaults, "SMOKE_WORKERS", 1)
    plane.edge.down = True
    assert before(plane)["succeeded"] is False
    passes = defaults.SMOKE_RETRY_MINUTES * 60 // defaults.SYNC_LOOP_SECONDS + 1
    assert len(plane.edge.asked) == 2 * passes


def test_what_time_does_not_allow_is_left_out_and_said(plane: Any, lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Several workers may have asked for everything before the one that takes so long comes to it.
    monkeypatch.setattr(defaults, "SMOKE_WORKERS", 1)

    def slowly(answer: Answer) -> Answer:
        plane.clock.time += defaults.SMOKE_SECONDS + 1
        return answer

    plane.edge.faults["/"] = slowly
    assert before(plane)["succeeded"] is True
    (told,) = [line for line in lines() if line["what"] == "smoke fetch went well"]
    assert told["left_out"] is True
    assert told["requests"] < 8


def test_a_large_build_is_fetched_in_an_even_selection(plane: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "SMOKE_FILES", 2)
    assert before(plane)["succeeded"] is True
    asked = {path for path, _ in plane.edge.asked}
    assert "/" in asked
    assert len(asked) == 2


def test_a_site_can_do_without(plane: Any) -> None:
    plane.edge.down = True
    assert before(plane, smoke_fetch=False)["succeeded"] is True
    assert plane.edge.asked == []


def test_nothing_is_fetched_before_the_replicas_are_right(plane: Any) -> None:
    del plane.buckets["eu-west-1"].objects["builds/b2/index.html"]
    assert before(plane)["succeeded"] is False
    assert plane.edge.asked == []


def test_nothing_is_fetched_for_a_rollback(plane: Any) -> None:
    plane.edge.down = True
    release = plane.releases.begin("a1", is_rollback=True)
    assert before_allow_traffic.run(plane.cloud(), release.id, "e", lambda: 900.0)["succeeded"] is True


def test_a_function_that_is_about_to_end_lets_nobody_in_unseen(plane: Any) -> None:
    release = plane.releases.begin("b2")
    answer = before_allow_traffic.run(plane.cloud(), release.id, "e", lambda: 20.0)
    assert "no time was left after the wait for its replicas" in str(answer["why"])
    assert plane.edge.asked == []
