"""Links as people paste them: all forms give the id, whatever is none says what was received."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genres.core.console import UserError
from genres.sources.spotify.links import playlist_id, track_id

ID = "37i9dQZF1DX38t16fuNXJJ"


@pytest.mark.parametrize(
    "text",
    [
        "{id}",
        "  {id}\n",
        "https://open.spotify.com/{kind}/{id}",
        "http://open.spotify.com/{kind}/{id}",
        "open.spotify.com/{kind}/{id}",
        "https://open.spotify.com/{kind}/{id}?si=0a1b2c3d4e5f6a7b",
        "https://open.spotify.com/{kind}/{id}?si=0a1b2c&utm_source=copy-link&pt=1#top",
        "https://open.spotify.com/{kind}/{id}/",
        "https://open.spotify.com/intl-pt/{kind}/{id}",
        "https://open.spotify.com/intl-pt-BR/{kind}/{id}/?si=x",
        "https://open.spotify.com/embed/{kind}/{id}?utm_source=generator",
        "https://open.spotify.com/intl-de/embed/{kind}/{id}",
        "https://OPEN.spotify.com/{kind}/{id}",
        "https://play.spotify.com/{kind}/{id}",
        "spotify:{kind}:{id}",
        "\tspotify:{kind}:{id} ",
    ],
)
@pytest.mark.parametrize(("kind", "parse"), [("playlist", playlist_id), ("track", track_id)])
def test_f17_all_forms_give_the_id(text: str, kind: str, parse: Callable[[str], str]) -> None:
    assert parse(text.format(kind=kind, id=ID)) == ID


@pytest.mark.parametrize(
    "text",
    [
        f"spotify:user:spotify:playlist:{ID}",
        f"https://open.spotify.com/user/spotify/playlist/{ID}",
        f"https://open.spotify.com/user/some.body-1/playlist/{ID}?si=1/",
        f"open.spotify.com/intl-fr/user/somebody/playlist/{ID}/",
    ],
)
def test_f17_legacy_forms_with_the_owner_give_the_id(text: str) -> None:
    assert playlist_id(text) == ID


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"https://open.spotify.com/album/{ID}", "leads to an album; a link to a playlist"),
        (f"spotify:artist:{ID}", "leads to an artist"),
        (f"https://open.spotify.com/intl-pt/track/{ID}?si=1", "leads to a track"),
        (f"spotify:episode:{ID}", "leads to an episode"),
        ("https://open.spotify.com/user/somebody", "leads to a user"),
        ("https://spotify.link/AbCdEf", "open it in a browser and paste the long URL"),
        ("spotify.link/AbCdEf", "open it in a browser"),
        ("https://spotify.app.link/x", "open it in a browser"),
    ],
)
def test_f17_a_link_of_the_wrong_kind_says_so(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        playlist_id(text)
    assert text in str(error.value)


def test_f17_a_playlist_is_no_track() -> None:
    with pytest.raises(UserError, match="leads to a playlist; a link to a track"):
        track_id(f"spotify:playlist:{ID}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "rap caviar",
        ID[:-1],
        ID + "x",
        ID[:-1] + "!",
        ID[:-1] + "é",
        "0" * 300,
        f"https://example.com/playlist/{ID}",
        f"https://open.spotify.com.example.com/playlist/{ID}",
        f"https://evil@example.com/open.spotify.com/playlist/{ID}",
        "https://open.spotify.com/playlist/",
        f"https://open.spotify.com/playlist/{ID}/tracks",
        f"https://open.spotify.com/playlist/../{ID}",
        "spotify:playlist:",
        f"spotify:playlist:{ID}:extra",
        f"file://open.spotify.com/playlist/{ID}",
        f"https://[open.spotify.com/playlist/{ID}",
        None,
        37,
    ],
)
def test_f17_anything_else_is_one_line_with_what_was_received(text: str) -> None:
    with pytest.raises(UserError, match=r"is not understood; write https://open\.spotify\.com/playlist/ID") as error:
        playlist_id(text)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300
    assert repr(text)[:10] in str(error.value)


@given(st.text())
def test_f17_no_text_breaks_it(text: str) -> None:
    try:
        found = playlist_id(text)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert len(found) == 22 and found in text
