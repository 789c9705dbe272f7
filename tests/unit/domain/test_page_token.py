import base64
import json

import pytest
from techdocs_server.domain.errors import PageTokenInvalid
from techdocs_server.domain.page_token import page_token, position_of


def test_a_token_goes_on_where_its_page_ended() -> None:
    token = page_token(["sites", "default"], ["default", "component", "a"])
    assert position_of(token, ["sites", "default"], length=3) == ("default", "component", "a")


@pytest.mark.parametrize(
    "token",
    ["x", "====", "aGVsbG8", base64.urlsafe_b64encode(json.dumps(["0" * 16, 1, 2, 3]).encode()).decode(), "e30", "é"],
)
def test_a_made_up_token_is_refused(token: str) -> None:
    with pytest.raises(PageTokenInvalid):
        position_of(token, ["sites"], length=3)


def test_a_token_of_another_listing_is_refused() -> None:
    token = page_token(["sites", "default"], ["a", "b", "c"])
    with pytest.raises(PageTokenInvalid):
        position_of(token, ["sites", "other"], length=3)
