"""Configuration, tokens and the login, against a fake of Spotify's accounts service; F1 to F9: known ways to fail."""

import json
import logging
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from fakes.server import Answer, FakeServer, services
from fakes.spotify import CLIENT_ID, CLIENT_SECRET, FakeSpotify, oauth_error, too_many

from genres.core.console import UserError
from genres.sources import web
from genres.sources.spotify import login as login_module
from genres.sources.spotify import tokens
from genres.sources.spotify.account import Account, AccountError, read_configuration
from genres.sources.spotify.login import login
from genres.sources.spotify.tokens import Token, load_token, save_token, token_path
from genres.sources.web import ServiceError, UnavailableError

TOKEN = "POST /accounts/api/token"


@pytest.fixture
def spotify(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSpotify]:
    for name in [name for name in os.environ if name.startswith(("SPOTIPY_", "SPOTIFY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(web, "FIRST_BACKOFF_S", 0.01)
    with FakeServer() as server:
        fake = FakeSpotify(server)
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        yield fake


def keep_login(spotify: FakeSpotify, fresh: bool = True) -> Path:
    """Leave the token of an earlier login."""
    access, refresh = spotify.log_in()
    path = token_path(CLIENT_ID)
    expires_at = time.time() + (3600 if fresh else -1)
    save_token(path, Token(access, expires_at, refresh, login_module.SCOPE), CLIENT_ID, accounts(spotify))
    return path


def accounts(spotify: FakeSpotify) -> str:
    return spotify.environment["SPOTIFY_ACCOUNTS_URL"]


def one_line(error: pytest.ExceptionInfo[UserError]) -> str:
    message = str(error.value)
    assert "\n" not in message and CLIENT_SECRET not in message
    return message


# ── Configuration ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_f1_nothing_configured_says_what_to_set_and_the_way_without(
    spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPOTIPY_CLIENT_ID")
    monkeypatch.delenv("SPOTIPY_CLIENT_SECRET")
    with pytest.raises(AccountError) as error:
        Account(services())
    for part in ("SPOTIPY_CLIENT_ID", "SPOTIPY_CLIENT_SECRET", ".env", "docs/spotify.md", "manifest.csv"):
        assert part in one_line(error)


def test_f1_an_id_without_secret_or_login_names_both_ways(
    spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPOTIPY_CLIENT_SECRET", "")
    with pytest.raises(AccountError) as error:
        Account(services())
    for part in ("make spotify-login", "SPOTIPY_CLIENT_SECRET", "docs/spotify.md", "manifest.csv"):
        assert part in one_line(error)
    assert spotify.server.asked() == []


def test_f1_env_file_of_the_users_checkout_is_read_and_the_environment_wins(
    spotify: FakeSpotify, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".env").write_text(
        "# comment\nSPOTIPY_CLIENT_ID=fromfile\nexport SPOTIFY_CLIENT_SECRET='pa$$word${HOME}'\n"
        "SPOTIPY_REDIRECT_URI=http://127.0.0.1:9/x\n"
    )
    monkeypatch.delenv("SPOTIPY_CLIENT_SECRET")
    monkeypatch.setenv("SPOTIPY_REDIRECT_URI", " ")  # as good as none
    experiment = tmp_path / "experiment"
    experiment.mkdir()
    monkeypatch.chdir(experiment)  # DVC's temporary experiments run elsewhere, without .env; DVC_ROOT leads back
    before = dict(os.environ)
    found = read_configuration()
    assert (found.client_id, found.client_secret) == (CLIENT_ID, "pa$$word${HOME}")
    assert found.redirect_uri == "http://127.0.0.1:9/x"
    assert dict(os.environ) == before
    monkeypatch.delenv("SPOTIPY_CLIENT_ID")
    assert read_configuration().client_id == "fromfile"
    monkeypatch.setenv("SPOTIFY_CLIENT_ID", "othername")
    assert read_configuration().client_id == "othername"


def test_the_addresses_are_spotifys_own_unless_told_otherwise(
    spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPOTIFY_API_URL")
    monkeypatch.delenv("SPOTIFY_ACCOUNTS_URL")
    monkeypatch.delenv("SPOTIPY_REDIRECT_URI")
    found = read_configuration()
    assert (found.api_url, found.accounts_url) == ("https://api.spotify.com/v1", "https://accounts.spotify.com")
    assert found.redirect_uri == "http://127.0.0.1:8888/callback"


@pytest.mark.parametrize(
    "url", ["http://example.com/v1", "http://localhost/v1", "api.spotify.com", "ftp://x", "http://["]
)
def test_f9_secrets_are_sent_only_encrypted(spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SPOTIFY_API_URL", url)
    with pytest.raises(AccountError, match="SPOTIFY_API_URL: must begin with https://") as error:
        read_configuration()
    assert url in one_line(error)


def test_f1_an_env_file_that_is_no_text_is_named(spotify: FakeSpotify, project: Path) -> None:
    (project / ".env").write_bytes(b"SPOTIPY_CLIENT_ID=\xff\xfe")
    with pytest.raises(AccountError, match=r"\.env: cannot be read \(not text in UTF-8\)"):
        read_configuration()


@pytest.mark.parametrize("value", ["../../etc/x", "<your client id>", "a b"])
def test_f1_what_cannot_be_a_client_id_is_refused(
    spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SPOTIPY_CLIENT_ID", value)
    with pytest.raises(AccountError, match="SPOTIPY_CLIENT_ID: must have only letters"):
        read_configuration()


# ── The app's own token ───────────────────────────────────────────────────────────────────────────────────────────────


def test_an_app_with_a_secret_gets_a_token_once(spotify: FakeSpotify, project: Path) -> None:
    account = Account(services())
    assert not account.is_user
    first = account.token()
    assert spotify.tokens[first].user is None
    assert account.token() == first
    assert len(spotify.server.asked(TOKEN)) == 1
    assert not (project / ".spotify").exists()


def test_f2_a_wrong_secret_is_told_at_once(spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOTIPY_CLIENT_SECRET", "wrong-but-secret-é")
    with pytest.raises(
        AccountError, match=r"invalid_client.*SPOTIPY_CLIENT_ID or SPOTIPY_CLIENT_SECRET is wrong"
    ) as error:
        Account(services()).token()
    assert "wrong-but-secret" not in one_line(error)
    assert len(spotify.server.asked(TOKEN)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Answer("", 500),
        Answer({"error": "server_error"}, 503),
        Answer("Bad gateway", 502),
        too_many(),
        too_many("0"),
        too_many("0.01"),
        too_many("soon"),
        Answer("<html>Log in to the wireless network</html>"),
        Answer(""),
        Answer([]),
        Answer(None),
        Answer({"token_type": "Bearer"}),
        Answer({"access_token": "", "expires_in": 3600}),
        Answer({"access_token": "two\r\nlines", "expires_in": 3600}),
        Answer({"access_token": 7, "expires_in": 3600}),
        Answer('{"access_token": "BQ'),
        Answer({"access_token": "BQabc"}, cut_after=5),
        Answer(reset=True),
    ],
    ids=lambda answer: f"{answer.status}-{answer.content()[:30].decode()}" if answer.content() else None,
)
def test_f3_passing_faults_of_the_token_endpoint_pass(spotify: FakeSpotify, fault: Answer) -> None:
    spotify.server.fault(TOKEN, fault, times=2)
    account = Account(services())
    assert account.token() in spotify.tokens
    assert len(spotify.server.asked(TOKEN)) == 3


def test_f3_a_silent_token_endpoint_is_not_waited_for_forever(
    spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "TIMEOUTS_S", (1.0, 0.2))
    spotify.server.fault(TOKEN, Answer(delay_s=0.6))
    assert Account(services()).token() in spotify.tokens
    spotify.server.fault(TOKEN, Answer(delay_s=0.6), times=2)
    with pytest.raises(ServiceError, match=r"Spotify login: no answer from spotify in 2 attempts \(no answer in time"):
        Account(services(attempts=2)).token()


def test_f3_a_token_endpoint_that_asks_for_hours_ends_the_run_with_status_3(spotify: FakeSpotify) -> None:
    spotify.server.fault(TOKEN, too_many(7200), times=9)
    with pytest.raises(UnavailableError, match=r"2\.0 hours") as error:
        Account(services()).token()
    assert error.value.status == 3
    assert len(spotify.server.asked(TOKEN)) == 1


@pytest.mark.parametrize("life", [None, "3600", -1, 0, True, 1e300])
def test_f3_a_token_without_a_sensible_life_is_used_all_the_same(spotify: FakeSpotify, life: Any) -> None:
    spotify.server.fault(TOKEN, Answer({"access_token": "BQabc", "expires_in": life}))
    assert Account(services()).token() == "BQabc"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer({"error": "unsupported_grant_type"}, 400), "HTTP 400: unsupported_grant_type"),
        (Answer("<html>blocked</html>", 403), "HTTP 403: no reason given"),
        (Answer([1], 404), "HTTP 404"),
        (Answer("", 302, {"Location": "/elsewhere"}), "HTTP 302"),
    ],
)
def test_f3_other_refusals_are_one_line(spotify: FakeSpotify, answer: Answer, said: str) -> None:
    spotify.server.fault(TOKEN, answer)
    with pytest.raises(AccountError, match=said) as error:
        Account(services()).token()
    assert "docs/spotify.md" in one_line(error)
    assert len(spotify.server.asked()) == 1  # and the secret went nowhere else


def test_f4_a_token_is_renewed_before_it_ends(spotify: FakeSpotify) -> None:
    spotify.token_life_s = 30  # less than the margin: each one is due at once
    account = Account(services())
    assert account.token() != account.token()


def test_f4_a_rejected_token_is_renewed_once_however_many_threads_met_it(spotify: FakeSpotify) -> None:
    account = Account(services())
    rejected = account.token()
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(account.renew(rejected))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and found[0] != rejected
    assert len(spotify.server.asked(TOKEN)) == 2


# ── The token of a login ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_login_goes_before_the_secret_and_is_renewed(spotify: FakeSpotify) -> None:
    path = keep_login(spotify, fresh=False)
    account = Account(services())
    assert account.is_user
    token = account.token()
    assert spotify.tokens[token].user is not None
    stored = json.loads(path.read_text())
    assert stored["access"] == token and stored["refresh"] in spotify.refresh_tokens
    assert stored["scope"] == login_module.SCOPE
    assert [urlsplit("?" + request.body).query.count("client_secret") for request in spotify.server.asked(TOKEN)] == [0]


def test_a_fresh_token_of_the_file_needs_no_request(spotify: FakeSpotify) -> None:
    keep_login(spotify)
    assert Account(services()).token() in spotify.tokens
    assert spotify.server.asked() == []


def test_an_answer_without_a_refresh_token_keeps_the_old_one(spotify: FakeSpotify) -> None:
    spotify.rotates = False
    path = keep_login(spotify, fresh=False)
    old = json.loads(path.read_text())["refresh"]
    Account(services()).token()
    assert json.loads(path.read_text())["refresh"] == old


def test_f5_two_processes_do_not_end_each_others_login(spotify: FakeSpotify) -> None:
    keep_login(spotify, fresh=False)
    one, other = Account(services()), Account(services())  # both have read the same refresh token
    assert one.token() == other.token()
    assert len(spotify.server.asked(TOKEN)) == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"client_id": "', "damaged"),
        (b"", "damaged"),
        (b"[]", "damaged"),
        (b"null", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"{}", "damaged"),
        ({"client_id": CLIENT_ID[:8] + "another"}, "it belongs to another app"),
        ({"accounts_url": "https://accounts.spotify.com"}, "it belongs to another app"),
        ({"expires_at": "tomorrow"}, "damaged"),
        ({"access": None}, "damaged"),
        ({"refresh": ""}, "damaged"),
    ],
)
def test_f5_a_token_file_of_no_use_is_said_and_the_secret_taken(
    spotify: FakeSpotify, content: Any, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = keep_login(spotify)
    if isinstance(content, dict):
        content = json.dumps(json.loads(path.read_text()) | content).encode()
    path.write_bytes(content)
    account = Account(services())
    assert not account.is_user and account.token() in spotify.tokens
    warning = capsys.readouterr().err
    assert warning.count("\n") == 1 and problem in warning and str(path) in warning and "make spotify-login" in warning


def test_f5_a_token_file_that_cannot_be_read_is_said(spotify: FakeSpotify, capsys: pytest.CaptureFixture[str]) -> None:
    token_path(CLIENT_ID).mkdir(parents=True)
    assert not Account(services()).is_user
    assert "Is a directory" in capsys.readouterr().err


def test_f5_a_token_file_that_cannot_be_written_does_not_stop_the_run(
    spotify: FakeSpotify, capsys: pytest.CaptureFixture[str]
) -> None:
    path = keep_login(spotify, fresh=False)
    account = Account(services())
    path.unlink()
    path.parent.rmdir()
    path.parent.write_text("a file where the folder should be")
    assert spotify.tokens[account.token()].user is not None
    assert "cannot be written" in capsys.readouterr().err


def test_f5_nobody_else_can_read_the_token_at_any_moment(spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    dump = json.dump

    def look(value: Any, file: Any, **options: Any) -> None:
        modes.append(stat.S_IMODE(os.fstat(file.fileno()).st_mode))
        dump(value, file, **options)

    monkeypatch.setattr(tokens.json, "dump", look)
    before = os.umask(0)
    try:
        path = keep_login(spotify)
        path.chmod(0o644)
        path = keep_login(spotify)
    finally:
        os.umask(before)
    assert modes == [0o600, 0o600]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_f5_the_token_lies_in_the_users_checkout(
    spotify: FakeSpotify, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert keep_login(spotify) == project / ".spotify" / f"token-{CLIENT_ID[:8]}.json"


def test_f8_a_withdrawn_login_says_to_log_in_again(spotify: FakeSpotify) -> None:
    keep_login(spotify, fresh=False)
    spotify.refresh_tokens.clear()
    with pytest.raises(AccountError, match="revoked or has expired; log in again with `make spotify-login`") as error:
        Account(services()).token()
    one_line(error)
    assert len(spotify.server.asked(TOKEN)) == 1


def test_f9_no_secret_is_ever_logged_or_shown(
    spotify: FakeSpotify, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    account = Account(services())
    shown = [repr(account), repr(account.configuration), str(vars(account))]
    account.token()
    # What spotipy's own login would log; the Web API's requests are looked at in test_spotify_client.py.
    spotipy = logging.getLogger("spotipy.oauth2")
    spotipy.debug("Headers: %s and Body: %s", {"Authorization": "Basic Zm9vOmJhcg=="}, {"code_verifier": "VERIFIER"})
    spotipy.debug("{'access_token': 'BQaccess', 'refresh_token': 'AQrefresh'} ?code=AQcode&state=1")
    keep_login(spotify, fresh=False)
    earlier = list(spotify.refresh_tokens)
    user = Account(services())
    shown += [repr(user), str(vars(user))]
    user.token()
    text = caplog.text + "".join(shown) + "".join(capsys.readouterr())
    assert "POST /accounts/api/token" in text  # logging was on
    secrets = [CLIENT_SECRET, "Zm9vOmJhcg", "VERIFIER", "BQaccess", "AQrefresh", "AQcode", *spotify.tokens]
    assert [secret for secret in [*secrets, *earlier, *spotify.refresh_tokens] if secret in text] == []


# ── The login ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Browser:
    """Opens the address in a thread, as a person with a browser would, and keeps the pages that it shows."""

    def __init__(self, before: Callable[[str], None] | None = None) -> None:
        self.before, self.pages = before, []
        self.address = ""

    def __call__(self, address: str) -> None:
        self.address = address
        self.thread = threading.Thread(target=self._open)
        self.thread.start()

    def _open(self) -> None:
        if self.before:
            self.before(self.address)
        self.pages.append(requests.get(self.address, timeout=5))

    @property
    def page(self) -> requests.Response:
        self.thread.join()
        return self.pages[-1]


def redirect_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["redirect_uri"][0]


def test_a_login_with_a_browser(
    spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SPOTIPY_CLIENT_SECRET")
    browser = Browser()
    path = login(services(), 5, browser)
    assert browser.page.status_code == 200 and "You can close this page" in browser.page.text
    account = Account(services())
    assert account.is_user
    token = spotify.tokens[account.token()]
    assert token.user is not None and token.scope == "playlist-read-private playlist-read-collaborative"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    printed = capsys.readouterr().out
    assert browser.address in printed.splitlines()  # for browsers elsewhere, on a line of its own
    assert "ssh -L" in printed and str(path) in printed
    assert account.token() not in printed


def test_a_login_on_ipv6(spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    monkeypatch.setenv("SPOTIPY_REDIRECT_URI", "http://[::1]/callback")
    assert login(services(), 5, Browser()).exists()


def test_every_login_has_its_own_state_and_challenge(spotify: FakeSpotify) -> None:
    browsers = [Browser(), Browser()]
    for browser in browsers:
        login(services(), 5, browser)
    queries = [parse_qs(urlsplit(browser.address).query) for browser in browsers]
    for key in ("state", "code_challenge"):
        assert queries[0][key] != queries[1][key] and len(queries[0][key][0]) >= 43
    assert queries[0]["code_challenge_method"] == ["S256"]


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:8888/callback",
        "http://0.0.0.0:8888/callback",
        "http://example.com/callback",
        "https://127.0.0.1:8888/callback",
        "https://example.com/callback",
        "http://127.0.0.1:8888/callback?x=1",
        "http://127.0.0.1:99999/callback",
        "127.0.0.1:8888/callback",
        "http://[::1/callback",
    ],
)
def test_f6_a_redirect_that_spotify_refuses_names_the_right_form(
    spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("SPOTIPY_REDIRECT_URI", uri)
    opened: list[str] = []
    with pytest.raises(AccountError, match="SPOTIPY_REDIRECT_URI") as error:
        login(services(), 1, opened.append)
    assert "http://127.0.0.1:8888/callback" in one_line(error) and repr(uri) in one_line(error)
    assert opened == []


def test_f6_f7_no_answer_ends_after_the_time_limit_and_names_the_redirect_to_register(spotify: FakeSpotify) -> None:
    spotify.redirect_uris = ()  # Spotify shows INVALID_CLIENT, and never comes back
    browser = Browser()
    start = time.monotonic()
    with pytest.raises(AccountError, match=r"no answer within 0 s.*INVALID_CLIENT") as error:
        login(services(), 0.3, browser)
    assert time.monotonic() - start < 3
    assert browser.page.status_code == 400
    assert redirect_of(browser.address) in one_line(error)
    assert not token_path(CLIENT_ID).exists()


def test_f7_without_a_desktop_no_browser_takes_over_the_terminal(
    spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(login_module.webbrowser, "open", opened.append)
    monkeypatch.setattr(login_module.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(AccountError, match="no answer"):
        login(services(), 0.1)
    assert opened == [] and f"{accounts(spotify)}/authorize?" in capsys.readouterr().out
    monkeypatch.setenv("DISPLAY", ":0")
    with pytest.raises(AccountError, match="no answer"):
        login(services(), 0.1)
    assert len(opened) == 1


def test_f7_a_browser_that_cannot_be_started_leaves_the_printed_address(spotify: FakeSpotify) -> None:
    def fail(address: str) -> None:
        browser(address)  # the person copies the address
        raise login_module.webbrowser.Error("could not locate runnable browser")

    browser = Browser()
    assert login(services(), 5, fail).exists()


def test_f7_a_port_in_use_is_one_line(spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("SPOTIPY_REDIRECT_URI", f"http://127.0.0.1:{port}/callback")
        with pytest.raises(AccountError, match=f"port {port} cannot be opened") as error:
            login(services(), 1, Browser())
    assert "SPOTIPY_REDIRECT_URI" in one_line(error)


def test_an_answer_with_another_state_is_not_taken(spotify: FakeSpotify) -> None:
    seen = []

    def forge(address: str) -> None:
        for state in ("", "&state=forged", "&state=é"):
            seen.append(requests.get(f"{redirect_of(address)}?code=forged{state}", timeout=5).status_code)
        seen.append(requests.get(f"{redirect_of(address)}?error=access_denied&state=forged", timeout=5).status_code)

    assert login(services(), 5, Browser(before=forge)).exists()  # and the true one still is
    assert seen == [400] * 4


def test_other_requests_of_a_browser_do_no_harm(spotify: FakeSpotify) -> None:
    def wander(address: str) -> None:
        split = urlsplit(redirect_of(address))
        assert requests.get(f"http://{split.netloc}/favicon.ico", timeout=5).status_code == 404
        assert requests.post(redirect_of(address), timeout=5).status_code == 501
        idle.append(socket.create_connection((split.hostname, split.port)))  # opened ahead, and never used

    idle: list[socket.socket] = []
    try:
        assert login(services(), 5, Browser(before=wander)).exists()
    finally:
        for connection in idle:
            connection.close()


def test_permission_denied_is_said_in_both_places(spotify: FakeSpotify) -> None:
    spotify.agrees = False
    browser = Browser()
    with pytest.raises(AccountError, match="permission was denied"):
        login(services(), 5, browser)
    assert "Permission was denied" in browser.page.text


def test_f3_faults_while_the_code_is_exchanged_pass(spotify: FakeSpotify) -> None:
    spotify.server.fault(TOKEN, Answer("", 503), times=2)
    assert login(services(), 5, Browser()).exists()


def test_f8_a_code_that_is_refused_keeps_the_earlier_login(spotify: FakeSpotify) -> None:
    path = keep_login(spotify)
    before = path.read_bytes()
    spotify.server.fault(TOKEN, oauth_error("invalid_grant", "Invalid authorization code"))
    with pytest.raises(AccountError, match="invalid_grant"):
        login(services(), 5, Browser())
    assert path.read_bytes() == before


def test_a_login_that_would_not_last_is_refused(spotify: FakeSpotify) -> None:
    spotify.server.fault(TOKEN, Answer({"access_token": "BQabc", "expires_in": 3600}))
    with pytest.raises(AccountError, match="no refresh token"):
        login(services(), 5, Browser())


def test_f5_a_place_that_cannot_be_written_is_found_out_before_the_browser_opens(
    spotify: FakeSpotify, project: Path
) -> None:
    (project / ".spotify").write_text("a file where the folder should be")
    opened: list[str] = []
    with pytest.raises(AccountError, match="cannot write the login there"):
        login(services(), 1, opened.append)
    assert opened == []


def test_f9_nothing_of_a_login_is_logged(
    spotify: FakeSpotify, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    codes: list[str] = []
    authorize = spotify._authorize
    spotify.server.routes.insert(
        0, ("GET /accounts/authorize", lambda r: (authorize(r), codes.extend(spotify.codes))[0])
    )
    path = login(services(), 5, lambda address: Browser()(address))
    kept = load_token(path, CLIENT_ID, accounts(spotify))
    assert kept is not None and codes
    verifier = parse_qs(spotify.server.asked(TOKEN)[0].body)["code_verifier"][0]
    printed = "".join(capsys.readouterr())
    ours = "\n".join(record.getMessage() for record in caplog.records if record.threadName == "MainThread")
    for secret in (*codes, verifier, kept.access, kept.refresh):
        assert secret not in printed and secret not in ours
