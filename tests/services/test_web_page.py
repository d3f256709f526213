"""The page of `genres web` in a real browser: Python's answers, no other host, and no network after the first visit."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import FORMAT, GENRES, write_model

from genres.audio.mel import of_blocks
from genres.core.console import UserError
from genres.data.windows import Windowing
from genres.inference import answer, export
from genres.inference.classifier import Classifier
from genres.page import web

pytestmark = pytest.mark.xdist_group("app")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("needs a browser: apt-get install chromium", allow_module_level=True)

EVIL = "<img src=x onerror=alert(1)>"


class Site:
    """A folder on a file server that can be stopped."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model = folder, Classifier(model)
        self.asked: list[str] = []
        site = self

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *arguments: Any) -> None:
                site.asked.append(self.path)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def write_site(tmp_path_factory: pytest.TempPathFactory, compose: Callable) -> Iterator[Callable[..., Site]]:
    """Export an untrained network and write its page; it needs the package of npm once."""
    try:
        web.runtime()
    except UserError as error:
        pytest.skip(str(error))
    sites = []

    def write(
        name: str, form: Any = FORMAT, windowing: Windowing | None = None, into: Path | None = None, **card: Any
    ) -> Site:
        folder = tmp_path_factory.mktemp(name)
        known = [of_blocks([compose(seed)], form) for seed in range(3)]
        windows = {} if windowing is None else {"windowing": windowing}
        model_file = write_model(folder / f"{name}.keras", form=form, known=known, **windows, **card)
        exported = folder / f"{name}.onnx"
        export.write(model_file, exported, model_file)
        into = into or folder / "page"
        web.main(["--model", str(exported), "--output", str(into)])
        sites.append(Site(into, exported))
        return sites[-1]

    yield write
    for site in sites:
        site.stop()


@pytest.fixture(scope="module")
def site(write_site: Callable[..., Site]) -> Site:
    return write_site("tiny", dataset="demo")


@pytest.fixture(scope="module")
def browser() -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        microphone = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        sound = "--autoplay-policy=no-user-gesture-required"
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", sound, *microphone])


@pytest.fixture
def visit(browser) -> Iterator[Callable]:
    """Open a page as a new visitor; whatever happens there, nothing is asked of another host, and no script fails."""
    contexts, foreign, broken = [], [], []

    def visit(site: Site, width: int = 1280, height: int = 800, script: str = "", **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.add_init_script(script)
        contexts.append(context)
        context.on("request", lambda r: r.url.startswith((site.url, f"blob:{site.url}")) or foreign.append(r.url))
        page = context.new_page()
        page.set_default_timeout(60000)
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("console", lambda message: message.type == "error" and broken.append(message.text))
        page.goto(site.url)
        page.wait_for_selector("#status:has-text('Ready')")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not foreign, "asked of another host"
    assert not broken, "errors in the page"


def predict(page, song: Path) -> dict[str, Any]:
    """Choose a song and return the page's unrounded answer."""
    page.locator("#drop input").set_input_files(str(song))
    page.wait_for_selector(f"#answer .song:has(.name:text-is('{song.name}')), #answer .trouble")
    assert page.locator("#answer .trouble").count() == 0, page.inner_text("#answer")
    return json.loads(page.get_attribute("#answer .song", "data-answer"))


def assert_as_python(site: Site, page, song: Path, within: float) -> dict[str, Any]:
    shown, expected = predict(page, song), answer.predict(site.model, song)
    assert shown["probabilities"] == pytest.approx(expected["probabilities"], abs=within)
    assert shown["distance"] == pytest.approx(expected["distance"], rel=max(within, 0.01))
    assert (shown["warning"] is None) == (expected["warning"] is None)
    assert shown["warning"] == answer.warning_of(shown["distance"], expected["threshold"])
    first, second, *_ = sorted(expected["probabilities"].values(), reverse=True)
    assert shown["genre"] == expected["genre"] or first - second < 2 * within
    assert len(shown["timeline"]) == len(expected["timeline"])
    for window, by_python in zip(shown["timeline"], expected["timeline"], strict=True):
        assert [window["start_s"], window["end_s"]] == pytest.approx([by_python["start_s"], by_python["end_s"]])
        assert window["probabilities"] == pytest.approx(by_python["probabilities"], abs=10 * within)
    return shown


@pytest.fixture
def songs(tmp_path: Path, compose: Callable, write_audio: Callable) -> dict[str, Path]:
    """Songs by what is special about them."""
    song = compose(5, 12.3)
    other = compose(6, 12.3)
    junk = tmp_path / "junk.wav"  # a chunk before that of the format, as editors write
    plain = write_audio(tmp_path / "mono.wav", song).read_bytes()
    junk.write_bytes(plain[:12] + b"JUNK\x03\0\0\0abc\0" + plain[12:])
    return {
        "at the model's rate": tmp_path / "mono.wav",
        "junk first": junk,
        "floats, stereo": write_audio(tmp_path / "float.wav", np.stack([song, 0.5 * other], 1), subtype="FLOAT"),
        "channels cancel": write_audio(tmp_path / "cancel.wav", np.stack([song, -0.95 * song], 1)),
        "mp3": write_audio(tmp_path / "song.mp3", np.stack([compose(7, 9, 44100)] * 2, 1), 44100),
        "mp3 of another rate": write_audio(tmp_path / "low.mp3", compose(8, 9, 24000), 24000),
        "48 kHz": write_audio(tmp_path / "high.wav", compose(9, 9, 48000), 48000),
        "flac": write_audio(tmp_path / "song.flac", compose(10, 9, 32000), 32000),
        "Vorbis": write_audio(tmp_path / "song.ogg", compose(11, 9, 22050), 22050),
        "AAC": write_audio(tmp_path / "song.m4a", compose(12, 9, 44100), 44100),
        "shorter than half a window": write_audio(tmp_path / "short.wav", compose(13, 1.0)),
    }


def test_answers_are_those_of_python(site: Site, visit: Callable, songs: dict[str, Path]) -> None:
    """To 0.001 at the model's rate; other files are decoded and resampled by other programs."""
    page, apart = visit(site), []
    for kind, song in songs.items():
        exact = song.suffix == ".wav" and kind != "48 kHz"
        shown = assert_as_python(site, page, song, 1e-3 if exact else 0.02)
        apart.append([window["probabilities"][GENRES[0]] for window in shown["timeline"]])
        assert page.locator("text=only channel 1 is used").count() == (kind == "channels cancel")
    assert np.ptp(np.concatenate(apart)) > 0.1, "the network gives all windows the same"


def test_every_rule_of_windows_and_a_tagger(write_site: Callable, visit: Callable, songs: dict[str, Path]) -> None:
    genres = [f"{EVIL}_x", *GENRES[1:]]
    form = replace(FORMAT, sample_rate=16000, frame_rate=12.9, reference="loudness", fmax=7000.0)
    odd = write_site("odd", form, Windowing(2.5, 0.7, "repeat", "tracks"), genres=genres)
    tagger = write_site("tagger", protocol="tags", pretrained_on="MSD", genre_tags=GENRES[:2])
    for site, note in ((odd, "odd, trained on folder"), (tagger, "tagger, trained on folder, pretrained: tags")):
        page = visit(site)
        for song in songs.values():
            shown = assert_as_python(site, page, song, 0.02)
            assert shown["genre"] in site.model.candidates
        assert page.inner_text("#answer .by").startswith(note)
        assert page.inner_text("#about").startswith(f"Model: {note}")
        assert page.locator("#answer img").count() == 0, "a name is text"


def test_the_player_and_its_cursor(site: Site, visit: Callable, songs: dict[str, Path]) -> None:
    page = visit(site)
    shown = predict(page, songs["at the model's rate"])
    ranked = sorted(shown["probabilities"].items(), key=lambda item: -item[1])
    labels = [text.replace("\N{NO-BREAK SPACE}", " ") for text in page.locator(".lanes .label").all_inner_texts()]
    assert labels == [*(f"{genre} {100 * share:.0f} %" for genre, share in ranked), ""]
    assert page.locator(".lanes svg").first.locator("rect").count() == len(shown["timeline"])
    audio = "document.querySelector('.song audio')"
    page.evaluate(f"{audio}.muted = true; {audio}.play()")
    page.locator("[role=slider]:not([aria-valuenow='0'], [aria-valuenow^='0.'])").wait_for()
    page.evaluate(f"{audio}.pause()")
    box = page.locator(".song .over .part").bounding_box()
    page.mouse.click(box["x"] + 0.7 * box["width"], box["y"] + 20)
    page.wait_for_selector(f"[role=slider][aria-valuenow='{0.7 * 12.3:.1f}']")
    page.keyboard.press("ArrowRight")  # a click has focused it
    assert page.evaluate(f"{audio}.currentTime") == pytest.approx(0.7 * 12.3 + 1, abs=0.1)
    drawn = page.locator(".song .cursor").bounding_box()
    assert drawn["x"] + 1 == pytest.approx(box["x"] + (0.7 + 1 / 12.3) * box["width"], abs=8)


def test_bad_files_are_a_line_and_the_page_goes_on(
    site: Site, visit: Callable, songs: dict[str, Path], tmp_path: Path, compose: Callable, write_audio: Callable
) -> None:
    (tmp_path / f"{EVIL.replace('/', '')}.txt").write_text("no song")
    (tmp_path / "nothing.mp3").touch()
    (tmp_path / "video.mp4").write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(200))
    long = write_audio(tmp_path / "long.wav", np.ones(1210 * 8000, np.float32), 8000, subtype="PCM_U8")
    spoilt = compose(1)
    spoilt[500] = np.nan
    bad = {
        f"{EVIL.replace('/', '')}.txt": "cannot be decoded: damaged, not audio",
        "video.mp4": "cannot be decoded: damaged, not audio",
        "nothing.mp3": "is empty",
        write_audio(tmp_path / "quiet.wav", np.zeros(40000, np.float32)).name: "is silent: use a file with audible",
        write_audio(tmp_path / "brief.wav", compose(1, 0.4)).name: "is too short (0.4 s; at least 1 s",
        write_audio(tmp_path / "nan.wav", spoilt, subtype="FLOAT").name: "has samples that are not numbers",
        long.name: "is too long (longer than 20 minutes)",
    }
    page = visit(site)
    for name, reason in bad.items():
        page.locator("#drop input").set_input_files(str(tmp_path / name))
        page.get_by_text(f"“{name}” {reason}").wait_for()
        assert page.locator("#answer .song, #answer img").count() == 0
    predict(page, songs["mp3"])
    assert page.locator(".trouble").count() == 0


def test_of_two_songs_the_later_one_is_shown(site: Site, visit: Callable, songs: dict[str, Path]) -> None:
    page = visit(site)
    page.locator("#drop input").set_input_files(str(songs["48 kHz"]))
    page.locator("#drop input").set_input_files(str(songs["mp3"]))
    page.wait_for_selector("#status:has-text('Done')")
    page.wait_for_timeout(300)
    assert page.inner_text("#answer .name") == "song.mp3"


def test_a_song_is_dropped_and_one_recorded(site: Site, visit: Callable, songs: dict[str, Path]) -> None:
    page = visit(site, permissions=["microphone"])
    data = page.evaluate_handle(
        "content => { const data = new DataTransfer();"
        " data.items.add(new File([new Uint8Array(content)], 'dropped.mp3')); return data; }",
        list(songs["mp3"].read_bytes()),
    )
    page.dispatch_event("#answer", "drop", {"dataTransfer": data})
    page.wait_for_selector(".name:has-text('dropped.mp3')")
    page.click("#record")
    page.wait_for_timeout(2500)
    page.click("text=Stop recording")
    page.wait_for_selector(".name:text-is('recording')")
    page.wait_for_timeout(500)
    seconds = float(page.get_attribute(".song", "data-seconds"))
    assert page.evaluate("document.querySelector('.song audio').duration") == pytest.approx(seconds, abs=0.2)
    page.get_by_role("button", name="Record").wait_for()


def test_it_works_without_the_server_and_takes_a_new_version(
    write_site: Callable, visit: Callable, songs: dict[str, Path]
) -> None:
    site = write_site("older")
    page = visit(site)
    page.wait_for_selector("text=it works offline")
    before = len(site.asked)
    page.reload()
    page.wait_for_selector("#status:has-text('Ready')")
    assert [path for path in site.asked[before:] if path != "/sw.js"] == []
    newer = write_site("newer", genres=GENRES[::-1], into=site.folder)
    page.reload()
    page.wait_for_selector("#about:has-text('Model: older')")
    page.click("text=Use the new version")
    page.wait_for_selector("#about:has-text('Model: newer')")
    assert page.locator("#update:visible").count() == 0
    site.model = newer.model
    site.stop()
    page.reload()
    page.wait_for_selector("#status:has-text('Ready')")
    assert_as_python(site, page, songs["at the model's rate"], 1e-3)


def test_it_works_where_no_service_worker_is_offered(site: Site, visit: Callable, songs: dict[str, Path]) -> None:
    """As by http from another machine."""
    page = visit(site, script="Object.defineProperty(Navigator.prototype, 'serviceWorker', {value: undefined})")
    assert_as_python(site, page, songs["at the model's rate"], 1e-3)
    assert page.inner_text("#offline") == ""


def test_the_policy_of_the_page_stops_requests_to_other_hosts(site: Site, write_site: Callable, browser) -> None:
    other = write_site("other")
    page = browser.new_page()
    page.goto(site.url)
    send = "address => fetch(address, {mode: 'no-cors'}).then(() => 'sent', () => 'stopped')"
    assert page.evaluate(send, f"{site.url}model.json") == "sent"
    assert page.evaluate(send, f"{other.url}model.json") == "stopped"
    assert other.asked == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_no_horizontal_scrolling(site: Site, visit: Callable, songs: dict[str, Path], scheme: str) -> None:
    page = visit(site, 360, 740, color_scheme=scheme, has_touch=True)
    predict(page, songs["mp3"])
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.wait_for_timeout(1000)
    assert page.evaluate("scrollY") > 100, "the answer comes into sight by itself"
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


def test_half_a_minute_takes_seconds(site: Site, visit: Callable, tmp_path: Path, write_song: Callable) -> None:
    page = visit(site)
    predict(page, write_song(tmp_path / "half a minute.mp3", 3, 30.0, 44100))
    assert float(page.inner_text("#status").split()[2]) < 10  # 1 s on a machine that does nothing else
