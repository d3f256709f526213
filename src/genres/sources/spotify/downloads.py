"""Downloads of previews: only from the stores' own hosts, with a size limit, complete or not at all."""

import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import requests
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import parse_url

from genres.sources.spotify.sources import Offer
from genres.sources.web import FAULTS, RetryableError, Service, connection_fault, get_once, is_loopback, new_session

# Content hosts of the three stores, with subdomains. (dzcdn.net: Deezer; mzstatic.com: Apple; scdn.co: Spotify)
HOSTS = ("dzcdn.net", "itunes.apple.com", "mzstatic.com", "p.scdn.co")

LARGEST_BYTES = 2_000_000  # a preview has about 0.5 MB as mp3, 1 MB as AAC
REDIRECTS = 5

# Function that requests a URL once and returns the content, or the URL of a redirect.
Transfer = Callable[[str], bytes | str]


class RefusedError(Exception):
    """A download is not usable; the message is the reason."""


class TemporaryError(RefusedError):
    """A download is not usable now, but may be in another run."""


class ExpiredError(TemporaryError):
    """The URL has expired, or its host denies access."""


def download(offer: Offer, downloads: Service, transfer: Transfer | None = None) -> bytes:
    """Download the bytes of an offer; redirects are followed only to hosts that may send audio.

    Parameters
    ----------
    offer : Offer
        Preview to download.
    downloads : Service
        Service with the rate limit and the retries of downloads.
    transfer : Transfer or None
        Function that sends one request; None for this process and the service's own session.

    Raises
    ------
    RefusedError
        If the download is not usable; TemporaryError if it may be later.
    ServiceError, UnavailableError
        If all attempts fail, or the host asks for a long pause.
    """
    url, came_from = offer.url, ""
    ask = transfer or (lambda url: _once(url, downloads.get_once))
    for _ in range(REDIRECTS + 1):
        if not may_send(url, came_from):
            raise RefusedError(f"the URL is not of an accepted host ({host_of(url) or 'no host'})")
        try:
            answer = downloads.call(lambda: ask(url), f"{offer.title} by {offer.artist}")  # noqa: B023
        except (requests.RequestException, ValueError) as error:
            # A retry would not help. (ValueError: requests parses redirects even if it must not follow them.)
            raise RefusedError(f"invalid URL ({type(error).__name__})") from None
        if isinstance(answer, bytes):
            return answer
        try:
            url, came_from = urljoin(url, answer), url
        except ValueError:
            raise RefusedError("invalid URL") from None
    raise RefusedError("too many redirects")


def may_send(url: str, came_from: str) -> bool:
    """Return True if a URL is encrypted and of a known host, or, for tests, if stores and URL are on this machine."""
    host = host_of(url)
    if not host:
        return False
    if is_loopback(url):
        # A loopback URL is accepted only if a store runs on this machine, too.
        stores = [os.environ.get(f"{name}_API_URL", "") for name in ("SPOTIFY", "DEEZER", "ITUNES")]
        return any(map(is_loopback, stores)) and (not came_from or is_loopback(came_from))
    parts = parse_url(url)
    encrypted = parts.scheme == "https" and parts.port in (None, 443)
    return encrypted and any(host == accepted or host.endswith(f".{accepted}") for accepted in HOSTS)


def host_of(url: str) -> str:
    r"""Return the host that requests would connect to; empty if the URL is invalid or ambiguous.

    For "https://a\@b" Python's urlsplit returns b, while requests, through urllib3, connects to a.
    """
    try:
        return (parse_url(url).host or "") if re.fullmatch(r"[!-\[\]-~]+", url) else ""
    except LocationParseError:
        return ""


def fetch_once(url: str) -> bytes | str:
    """Request a URL once on a worker; errors are converted, for those of the libraries may not survive pickling."""
    with new_session() as session:
        try:
            return _once(url, lambda url, **options: get_once(session, url, **options))
        except (*FAULTS, HTTPError) as error:
            raise RetryableError(connection_fault(error)) from None
        except (requests.RequestException, ValueError) as error:
            raise RefusedError(f"invalid URL ({type(error).__name__})") from None


def _once(url: str, get: Callable[..., Any]) -> bytes | str:
    """Request a URL once and return the content, or the URL of a redirect."""
    # No compression, so that the sizes are those of the file.
    plain = {"Accept-Encoding": "identity"}
    with get(url, stream=True, allow_redirects=False, headers=plain) as response:
        if response.is_redirect:
            return response.headers["Location"]
        if response.status_code == 403:
            raise ExpiredError("HTTP 403")
        if response.status_code != 200:
            raise TemporaryError(f"HTTP {response.status_code}")
        kind = response.headers.get("Content-Type", "")
        if kind.startswith("text/"):  # mostly the login page of a captive network
            raise TemporaryError(f"not audio but {kind.partition(';')[0]}")
        declared = response.headers.get("Content-Length", "")
        if declared.isdecimal() and int(declared) > LARGEST_BYTES:
            raise RefusedError(f"too large for a preview ({int(declared) / 1e6:.1f} MB)")
        content = bytearray()
        for chunk in response.iter_content(1 << 16):
            content += chunk
            if len(content) > LARGEST_BYTES:
                raise RefusedError(f"too large for a preview (over {LARGEST_BYTES / 1e6:.0f} MB)")
        if not content or (declared.isdecimal() and len(content) < int(declared)):
            raise RetryableError("ended early")
        return bytes(content)
