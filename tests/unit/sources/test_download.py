"""Downloads against a real server on this machine that misbehaves as told, and archives that mean ill."""

import contextlib
import errno
import hashlib
import io
import socket
import struct
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import urllib3

from genres.core.console import UserError, command
from genres.sources import download, web
from genres.sources.download import extract_tar, fetch

CONTENT = bytes(range(256)) * 4000  # about 1 MB: several chunks
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT, with ranges; each entry of `script` spoils one request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[dict[str, Any]] = []
        self.ranges: list[str | None] = []
        self.sent = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/file.bin"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        fault = self.server.script.pop(0) if self.server.script else {}
        time.sleep(fault.get("wait_s", 0))
        if "status" in fault:
            self.send_response(fault["status"])
            self.send_header("Retry-After", fault.get("retry_after", ""))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        first = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and not fault.get("ignore_range") else 0
        if first >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        ranged = wanted is not None and not fault.get("ignore_range")
        first = fault.get("serve_from", first)
        body = fault.get("body", CONTENT)[first:]
        self.send_response(206 if ranged else 200)
        if ranged:
            self.send_header("Content-Range", f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        body = body[: fault.get("cut_after", len(body))]
        self.server.sent += len(body)  # before it is sent: the client may have it all, and look, before this goes on
        with contextlib.suppress(ConnectionError):  # the client may have given up
            self.wfile.write(body)
        if "reset" in fault:  # closing without lingering sends RST instead of FIN
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if "cut_after" in fault:
            self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr(download, "TIMEOUTS_S", (2.0, 2.0))


def get(url: str, destination: Path, attempts: int = 4, **options: Any) -> Path:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(download, "ATTEMPTS", attempts)
        return fetch(url, destination, **{"sha256": SHA256, "what": "the file"} | options)


def part_of(destination: Path) -> Path:
    return destination.with_name(destination.name + ".part")


def test_a_file_is_fetched_once(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    destination = tmp_path / "new" / "file.bin"
    assert get(server.url, destination) == destination
    assert destination.read_bytes() == CONTENT
    assert get(server.url, destination).read_bytes() == CONTENT
    assert server.ranges == [None]
    assert not part_of(destination).exists()
    assert capsys.readouterr().err == ""  # no bar where stderr is not a terminal


def test_without_a_checksum_an_existing_file_is_taken_as_it_is(server: Server, tmp_path: Path) -> None:
    destination = tmp_path / "file.bin"
    destination.write_bytes(b"mine")
    get(server.url, destination, sha256=None)
    assert destination.read_bytes() == b"mine"
    assert server.ranges == []


def test_a_file_with_a_wrong_checksum_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    destination = tmp_path / "file.bin"
    destination.write_bytes(b"damaged")
    get(server.url, destination, sha256=None, md5=hashlib.md5(CONTENT).hexdigest())
    assert destination.read_bytes() == CONTENT


def test_a_lost_connection_goes_on_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.script = [{"cut_after": 300_000}, {"cut_after": 500_000}]
    assert get(server.url, tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=800000-"]
    assert server.sent == len(CONTENT)  # no byte twice


def test_a_reset_connection_is_tried_again(server: Server, tmp_path: Path) -> None:
    server.script = [{"cut_after": 300_000, "reset": True}, {"cut_after": 0, "reset": True}]
    assert get(server.url, tmp_path / "file.bin").read_bytes() == CONTENT
    assert len(server.ranges) == 3


def test_the_next_run_goes_on_where_the_last_one_broke(server: Server, tmp_path: Path) -> None:
    server.script = [{"cut_after": 300_000}]
    with pytest.raises(UserError, match="300000 bytes are kept"):
        get(server.url, tmp_path / "file.bin", attempts=1)
    assert part_of(tmp_path / "file.bin").read_bytes() == CONTENT[:300_000]
    assert get(server.url, tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.ranges[1] == "bytes=300000-"


def test_what_cannot_be_proven_is_not_resumed_from_an_earlier_run(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path / "file.bin").write_bytes(b"the beginning of last year's file")
    assert get(server.url, tmp_path / "file.bin", sha256=None).read_bytes() == CONTENT


def test_failures_count_only_while_nothing_comes(server: Server, tmp_path: Path) -> None:
    server.script = [{"cut_after": 100_000}] * 6
    assert get(server.url, tmp_path / "file.bin", attempts=2).read_bytes() == CONTENT


def test_a_server_that_always_starts_at_zero_and_breaks_is_given_up(server: Server, tmp_path: Path) -> None:
    server.script = [{"cut_after": 100_000, "ignore_range": True}] * 50
    with pytest.raises(UserError, match="connection lost"):
        get(server.url, tmp_path / "file.bin", attempts=3)
    assert len(server.ranges) <= 4


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path / "file.bin").write_bytes(CONTENT[:1000])
    server.script = [{"ignore_range": True}]
    assert get(server.url, tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-"]


def test_another_range_than_asked_for_is_not_appended(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path / "file.bin").write_bytes(CONTENT[:1000])
    server.script = [{"serve_from": 500}]
    assert get(server.url, tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-", None]


def test_a_part_longer_than_the_file_is_dropped(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path / "file.bin").write_bytes(CONTENT + b"!")
    assert get(server.url, tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT) + 1}-", None]


def test_a_run_killed_before_the_new_name_needs_no_request(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path / "file.bin").write_bytes(CONTENT)
    assert get(server.url, tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.ranges == []


def test_a_part_of_full_length_with_wrong_bytes_is_found_out(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path / "file.bin").write_bytes(bytes(len(CONTENT)))
    with pytest.raises(UserError, match="has a wrong checksum"):
        get(server.url, tmp_path / "file.bin")
    assert get(server.url, tmp_path / "file.bin").read_bytes() == CONTENT


def test_passing_faults_are_tried_again(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.script = [{"status": 503}, {"status": 429, "retry_after": "0.25"}, {"status": 500}]
    assert get(server.url, tmp_path / "file.bin").read_bytes() == CONTENT
    told = capsys.readouterr().err
    assert "HTTP 503" in told and "the file: HTTP 429; retrying in 0.25 s" in told


def test_lasting_faults_end_it(server: Server, tmp_path: Path) -> None:
    server.script = [{"status": 503}] * 9
    with pytest.raises(UserError, match="HTTP 503"):
        get(server.url, tmp_path / "file.bin", attempts=3)
    assert len(server.ranges) == 3


def test_not_found_ends_it_at_once_and_says_the_way_out(server: Server, tmp_path: Path) -> None:
    server.script = [{"status": 404}]
    with pytest.raises(UserError) as error:
        get(server.url, tmp_path / "file.bin", remedy="set datasets.gtzan.dir to a local copy")
    message = str(error.value)
    assert message.startswith("the file: ") and message.endswith("; set datasets.gtzan.dir to a local copy")
    assert server.url in message and "404" in message and "\n" not in message
    assert len(server.ranges) == 1


def test_a_wrong_checksum_names_address_expected_and_received(server: Server, tmp_path: Path) -> None:
    page = b"<html>please log in to the wireless network</html>"
    server.script = [{"body": page}]
    with pytest.raises(UserError) as error:
        get(server.url, tmp_path / "file.bin")
    for part in (server.url, SHA256, hashlib.sha256(page).hexdigest()):
        assert part in str(error.value)
    assert [path for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []


def test_a_closed_port_is_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/file.bin"
        with pytest.raises(UserError, match="refused: offline") as error:
            get(url, tmp_path / "file.bin", attempts=2)
    assert url in str(error.value) and "\n" not in str(error.value)


def test_an_unknown_host_is_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(UserError, match="name cannot be resolved: offline"):
        get("http://music.example/file.bin", tmp_path / "file.bin", attempts=2)


def test_a_server_that_says_nothing_times_out(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUTS_S", (1.0, 0.1))
    server.script = [{"wait_s": 0.5}]
    with pytest.raises(UserError, match="no answer in time"):
        get(server.url, tmp_path / "file.bin", attempts=1)


def test_no_address_at_all_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot download genres\.tar\.gz"):
        get("genres.tar.gz", tmp_path / "file.bin")


def test_a_full_disk_keeps_the_part_and_is_said_in_one_line(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pieces = iter([CONTENT[:1000]])

    def filling(*arguments: Any, **options: Any) -> bytes:
        for piece in pieces:
            return piece
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(urllib3.response.HTTPResponse, "read1", filling)
        with pytest.raises(SystemExit) as ended:
            command(lambda: get(server.url, tmp_path / "file.bin") and None)()
    assert ended.value.code == 2
    assert "disk is full" in capsys.readouterr().err
    assert part_of(tmp_path / "file.bin").read_bytes() == CONTENT[:1000]
    assert get(server.url, tmp_path / "file.bin").read_bytes() == CONTENT


def test_two_at_a_time_fetch_it_once(server: Server, tmp_path: Path) -> None:
    server.script = [{"wait_s": 0.2}]
    threads = [threading.Thread(target=get, args=(server.url, tmp_path / "file.bin")) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert len(server.ranges) == 1


def tar_of(path: Path, **members: bytes | tuple[bytes, str]) -> Path:
    """Write a tar.gz; a value is a file's content or (type, target) of a link, `name` stands in the dict's keys."""
    with tarfile.open(path, "w:gz") as tar:
        for name, value in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(value, bytes):
                member.size = len(value)
                tar.addfile(member, io.BytesIO(value))
            else:
                member.type, member.linkname = value
                tar.addfile(member)
    return path


def test_an_archive_is_unpacked_and_then_left_alone(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "a.tar.gz", **{"genres/blues/blues.00000.wav": b"audio"})
    destination = tmp_path / "deep" / "audio"
    assert extract_tar(archive, destination) == destination
    unpacked = destination / "genres/blues/blues.00000.wav"
    assert unpacked.read_bytes() == b"audio"
    unpacked.write_bytes(b"changed since")
    extract_tar(archive, destination)
    assert unpacked.read_bytes() == b"changed since"


def test_what_a_killed_run_left_is_redone(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "a.tar.gz", **{"one": b"1"})
    left = tmp_path / ".audio.unpacking"
    left.mkdir()
    (left / "half").write_bytes(b"")
    extract_tar(archive, tmp_path / "audio")
    assert [path.name for path in (tmp_path / "audio").iterdir()] == ["one"]
    assert not left.exists()


@pytest.mark.parametrize(
    "name, value",
    [
        ("../evil", b"!"),
        ("genres/../../evil", b"!"),
        ("{outside}/evil", b"!"),
        ("evil", (tarfile.SYMTYPE, "../..")),
        ("evil", (tarfile.SYMTYPE, "{outside}")),
        ("evil", (tarfile.LNKTYPE, "../secret")),
        ("evil", (tarfile.FIFOTYPE, "")),
    ],
)
def test_an_archive_that_reaches_out_is_refused(tmp_path: Path, name: str, value: bytes | tuple[bytes, str]) -> None:
    outside = tmp_path / "outside"
    inside = outside / "inside"
    inside.mkdir(parents=True)
    (outside / "secret").write_bytes(b"secret")
    if isinstance(value, tuple):
        value = (value[0], value[1].format(outside=outside))
    archive = tar_of(tmp_path / "a.tar.gz", **{"good": b"1", name.format(outside=outside): value})
    with pytest.raises(UserError, match="unsafe archive, not unpacked"):
        extract_tar(archive, inside / "audio")
    assert sorted(path.name for path in outside.iterdir()) == ["inside", "secret"]
    assert [path for path in inside.iterdir() if not path.name.endswith(".lock")] == []


def test_a_damaged_archive_is_the_users_error_and_leaves_nothing(tmp_path: Path) -> None:
    whole = tar_of(tmp_path / "a.tar.gz", **{"noise": hashlib.sha256(b"").digest() * 3000}).read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 255
    for content in (whole[: len(whole) // 2], bytes(damaged), b"<html>not found</html>", b""):
        (tmp_path / "a.tar.gz").write_bytes(content)
        with pytest.raises(UserError, match=r"a\.tar\.gz: damaged or incomplete tar archive"):
            extract_tar(tmp_path / "a.tar.gz", tmp_path / "audio")
        assert not (tmp_path / "audio").exists()
        assert not (tmp_path / ".audio.unpacking").exists()
