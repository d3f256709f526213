"""Downloads of previews: only from the stores' own networks, of a sensible size, whole or not at all."""

import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import requests
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import parse_url

from genres.sources.spotify.sources import Offer
from genres.sources.web import FAULTS, Service, TryAgainError, get_once, is_loopback, lost, new_session

# The content networks of the three, and what is below them. (dzcdn.net: Deezer; mzstatic.com: Apple; scdn.co: Spotify)
HOSTS = ("dzcdn.net", "itunes.apple.com", "mzstatic.com", "p.scdn.co")

LARGEST_BYTES = 2_000_000  # a preview has about 0.5 MB as mp3, 1 MB as AAC
REDIRECTS = 5

# Asks once at an address: gives the content, or the address that it has moved to.
Transfer = Callable[[str], bytes | str]


class RefusedError(Exception):
    """A download that is of no use; the message says why."""


class NotNowError(RefusedError):
    """A download that may be of use in another run."""


class ExpiredError(NotNowError):
    """The address is not valid any more, or its network lets nobody in."""


def download(offer: Offer, downloads: Service, transfer: Transfer | None = None) -> bytes:
    """The bytes at an offer's address, redirects followed only to hosts that may send audio.

    Parameters
    ----------
    offer : Offer
    downloads : Service
        Decides when, and whether again.
    transfer : Transfer or None
        Does what is decided; None: this process, over the service's own session.

    Raises
    ------
    RefusedError
        Where what is there is of no use; NotNowError where it may be another time.
    ServiceError, ComeBackLaterError
        Where nothing is sent however often it is asked for, or only much later.
    """
    url, came_from = offer.url, ""
    ask = transfer or (lambda url: _once(url, downloads.get_once))
    for _ in range(REDIRECTS + 1):
        if not may_send(url, came_from):
            raise RefusedError(f"the address leads to {host_of(url) or 'nowhere'}")
        try:
            answer = downloads.call(lambda: ask(url), f"{offer.title} by {offer.artist}")  # noqa: B023
        except (requests.RequestException, ValueError) as error:
            # No other try would mend it. (ValueError: requests reads each redirect, also where it is to follow none.)
            raise RefusedError(f"the address leads nowhere ({type(error).__name__})") from None
        if isinstance(answer, bytes):
            return answer
        try:
            url, came_from = urljoin(url, answer), url
        except ValueError:
            raise RefusedError("the address leads nowhere") from None
    raise RefusedError("redirected too often")


def may_send(url: str, came_from: str) -> bool:
    """Whether a download from here is acceptable: encrypted and of a known host, or all on this machine, for tests."""
    host = host_of(url)
    if not host:
        return False
    if is_loopback(url):
        # No store sends a user's machine to itself, unless a store stands there, too.
        stores = [os.environ.get(f"{name}_API_URL", "") for name in ("SPOTIFY", "DEEZER", "ITUNES")]
        return any(map(is_loopback, stores)) and (not came_from or is_loopback(came_from))
    parts = parse_url(url)
    encrypted = parts.scheme == "https" and parts.port in (None, 443)
    return encrypted and any(host == known or host.endswith(f".{known}") for known in HOSTS)


def host_of(url: str) -> str:
    r"""The host that would be asked; empty where an address is none, or can be read in two ways.

    Of "https://a\@b" Python's own urlsplit says b, while requests, by way of urllib3, would ask a.
    """
    try:
        return (parse_url(url).host or "") if re.fullmatch(r"[!-\[\]-~]+", url) else ""
    except LocationParseError:
        return ""


def fetch_once(url: str) -> bytes | str:
    """A transfer on a worker; its errors reach the client without the objects of the libraries that met them."""
    with new_session() as session:
        try:
            return _once(url, lambda url, **options: get_once(session, url, **options))
        except (*FAULTS, HTTPError) as error:
            raise TryAgainError(lost(error)) from None
        except (requests.RequestException, ValueError) as error:
            raise RefusedError(f"the address leads nowhere ({type(error).__name__})") from None


def _once(url: str, get: Callable[..., Any]) -> bytes | str:
    """The content, or the address that it has moved to."""
    # Sent as it is, so that the sizes are those of the file.
    plain = {"Accept-Encoding": "identity"}
    with get(url, stream=True, allow_redirects=False, headers=plain) as response:
        if response.is_redirect:
            return response.headers["Location"]
        if response.status_code == 403:
            raise ExpiredError("HTTP 403")
        if response.status_code != 200:
            raise NotNowError(f"HTTP {response.status_code}")
        kind = response.headers.get("Content-Type", "")
        if kind.startswith("text/"):  # a network's log-in page, mostly
            raise NotNowError(f"no audio but {kind.partition(';')[0]}")
        declared = response.headers.get("Content-Length", "")
        if declared.isdecimal() and int(declared) > LARGEST_BYTES:
            raise RefusedError(f"too large for a preview ({int(declared) / 1e6:.1f} MB)")
        content = bytearray()
        for chunk in response.iter_content(1 << 16):
            content += chunk
            if len(content) > LARGEST_BYTES:
                raise RefusedError(f"too large for a preview (over {LARGEST_BYTES / 1e6:.0f} MB)")
        if not content or (declared.isdecimal() and len(content) < int(declared)):
            raise TryAgainError("ended early")
        return bytes(content)
