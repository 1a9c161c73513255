import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.domain.regions import EDGE_REGION, KNOWN_REGIONS, check_regions
from bluegreen_cdn.errors import InvalidRegions

REPLICAS = sorted(KNOWN_REGIONS - {EDGE_REGION})


@given(st.lists(st.sampled_from(REPLICAS), unique=True, max_size=6))
def test_every_list_of_known_regions_that_begins_in_us_east_1_is_kept_as_it_is(replicas: list[str]) -> None:
    assert check_regions(["us-east-1", *replicas]) == ("us-east-1", *replicas)


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        (["us-east-1", "eu-west-9"], "region 'eu-west-9' is unknown (did you mean"),
        (["us-east-1", "Mars"], "region 'Mars' is unknown; regions look like"),
        (["us-east-1", ""], "region '' is unknown"),
        (["us-east-1", "us-gov-west-1"], "region 'us-gov-west-1' is unknown"),
        (["us-east-1", "eu-west-1", "eu-west-1"], "region 'eu-west-1' is listed twice"),
        (["us-east-1", "us-east-1"], "region 'us-east-1' is listed twice"),
        (["eu-west-1"], "regions are eu-west-1; the first must be us-east-1"),
        (["eu-west-1", "us-east-1"], "the first must be us-east-1"),
        ([], "no regions are given; the first must be us-east-1"),
        ("us-east-1", "regions is the text 'us-east-1'; pass a list"),
    ],
)
def test_a_list_that_a_site_cannot_have_is_refused_with_the_mend(regions: list[str], message: str) -> None:
    with pytest.raises(InvalidRegions) as error:
        check_regions(regions)
    assert message in str(error.value)


def test_the_known_regions_are_those_of_the_sdk() -> None:
    import boto3

    assert set(boto3.session.Session().get_available_regions("lambda", partition_name="aws")) == KNOWN_REGIONS
