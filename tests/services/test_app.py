"""The page in a real browser: what visitors see and hear, what they never see, and that nothing leaves the machine."""

import hashlib
import io
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests
import soundfile
from checkout import ROOT, SAMPLE_RATE, clean_environment, write_song
from networks import FORMAT
from served_page import Site, needs_browser, serve, stop

from genres.audio.decode import AudioError
from genres.audio.mel import spectrogram_of
from genres.core.files import write_json
from genres.inference import answer
from genres.inference.classifier import Classifier
from genres.models.card import write_card
from genres.page import pictures, remixing, results
from genres.page.listening import Networks, Outline, Prediction, complaint, decode
from genres.remixing.remix import Remixer

pytestmark = pytest.mark.xdist_group("app")

# Low and slow, high and fast, noise: see tests/checkout.py.
SOUNDS = {"low<b>": (110, 1.0), "high": (880, 4.0), "noise": (0, 2.0)}
GENRES = list(SOUNDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two networks that were trained in seconds, and songs."""
    folder = tmp_path_factory.mktemp("app")
    for genre, (pitch, rate) in SOUNDS.items():
        for seed in range(3):
            write_song(folder / "music" / genre.strip("<b>") / f"{seed}.wav", pitch, rate, seed, 6.0)
    train_small(folder, "first", seed=1)
    train_small(folder, "second", seed=2)
    write_json(folder / "metrics/leaderboard.json", [leaderboard_row("second"), leaderboard_row("first")])
    write_json(folder / "metrics/second.json", {"dataset": "demo", "protocol": "clip"})
    (folder / "plots/second").mkdir(parents=True)
    shutil.copy(ROOT / "docs/images/gtzan_confusion.png", folder / "plots/second/confusion.png")
    return folder


def leaderboard_row(name: str) -> dict:
    numbers = dict.fromkeys(("val_track_accuracy", "track_accuracy", "macro_f1"), 0.5)
    interval = {"track_accuracy_ci95_low": 0.375, "track_accuracy_ci95_high": 0.625}
    return {"arch": name, **numbers, **interval, "n_parameters": 12345, "seconds": 75.0}


def train_small(folder: Path, name: str, seed: int) -> None:
    """Train a small network on windows of a second of those songs."""
    from genres.models.backend import keras

    frames = FORMAT.frames(1.0)
    windows, truth = [], []
    for number, genre in enumerate(GENRES):
        for song in sorted((folder / "music" / genre.strip("<b>")).iterdir()):
            found = spectrogram_of(song, FORMAT)
            starts = range(0, len(found) - frames, frames // 2)
            windows += [found[start : start + frames] for start in starts]
            truth += [number] * len(starts)
    keras.utils.set_random_seed(seed)
    clips = keras.Input((frames, FORMAT.n_mels), dtype="uint8")
    x = keras.layers.Conv1D(8, 5, activation="relu")(keras.layers.Rescaling(1 / 60, -2)(clips))
    x = keras.layers.GlobalAveragePooling1D()(x)
    network = keras.Model(clips, keras.layers.Dense(len(GENRES), activation="softmax")(x))
    network.compile(keras.optimizers.Adam(0.03), "sparse_categorical_crossentropy", metrics=["accuracy"])
    network.fit(np.stack(windows), np.array(truth), epochs=12, verbose=0)
    assert network.evaluate(np.stack(windows), np.array(truth), verbose=0)[1] == 1
    file = folder / f"models/{name}.keras"
    file.parent.mkdir(exist_ok=True)
    network.save(file)
    card = {"architecture": name, "dataset": "demo", "protocol": "artist", "genres": GENRES, "run_id": None}
    write_card(file, card | {"spectrogram": vars(FORMAT), "windowing": {"length_s": 1.0}})


@pytest.fixture(scope="module")
def half_and_half(folder: Path) -> Path:
    """Six seconds of noise, then four of the high notes."""
    for name, (pitch, rate), seconds in (("a", SOUNDS["noise"], 6.0), ("b", SOUNDS["high"], 4.0)):
        write_song(folder / f"{name}.wav", pitch, rate, 7, seconds)
    both = np.concatenate([soundfile.read(folder / f"{name}.wav")[0] for name in "ab"])
    soundfile.write(folder / "half and half.wav", both, SAMPLE_RATE)
    return folder / "half and half.wav"


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Site]:
    site = serve(folder)
    yield site
    stop(site)


def send(page, song: Path, where: str = "#upload") -> None:
    if page.locator(f"{where} input[type=file]").count() == 0:
        page.locator(f"{where} button[aria-label]").first.click()
        page.wait_for_selector("#answer .nothing")
    page.locator(f"{where} input[type=file]").set_input_files(str(song))


def shares(page, song: str = ".song") -> dict[str, int]:
    """Percent by genre, as the timeline's labels say."""
    labels = [text.replace("\N{NO-BREAK SPACE}", " ") for text in page.locator(f"{song} .label").all_inner_texts()]
    found = [re.fullmatch(r"(.*) (\d+) %", label.strip()) for label in labels]
    return {match[1]: int(match[2]) for match in found if match}


@needs_browser
def test_a_song_and_its_genres_over_time(site: Site, visit: Callable, half_and_half: Path) -> None:
    """The percentages are those of `genres predict`, the cursor follows the player, the squares the sounds."""
    page = visit(site)
    send(page, half_and_half)
    page.wait_for_selector("#answer .song")
    expected = answer.predict(Classifier(site.folder / "models/second.keras"), half_and_half)["probabilities"]
    assert shares(page, "#answer .song") == {genre: round(100 * share) for genre, share in expected.items()}
    assert page.inner_text("#answer .name") == half_and_half.name
    assert page.inner_text("#answer .genre").lower().startswith("noise")
    assert page.inner_text("#answer .by") == "second, trained on data set demo (synthetic music), artist split"
    for genre, start, end in (("noise", 0.0, 6.0), ("high", 6.0, 10.0)):
        squares = page.locator("#answer rect").filter(has_text=f": {genre} ").all()
        sure = [s for s in squares if float(s.get_attribute("fill-opacity")) > 0.6]
        assert min(float(square.get_attribute("x")) for square in sure) == pytest.approx(start, abs=0.05)
        ends = [float(square.get_attribute("x")) + float(square.get_attribute("width")) for square in sure]
        assert max(ends) == pytest.approx(end, abs=0.05)

    page.evaluate("document.querySelector('.song audio').muted = true")
    page.evaluate("document.querySelector('.song audio').play()")
    page.wait_for_function("parseFloat(document.querySelector('.cursor').style.left) > 5")
    page.evaluate("document.querySelector('.song audio').pause()")
    box = page.locator(".song .over .part").bounding_box()
    page.mouse.click(box["x"] + 0.7 * box["width"], box["y"] + 20)
    page.wait_for_function("Math.abs(document.querySelector('.song audio').currentTime - 7) < 0.1")
    drawn = page.locator(".song .cursor").bounding_box()
    assert drawn["x"] + 1 == pytest.approx(box["x"] + 0.7 * box["width"], abs=3)
    assert drawn["height"] == pytest.approx(box["height"], abs=2)

    page.click("#why")
    page.wait_for_function("document.querySelector('#evidence img')?.naturalWidth > 500")

    page.click("#network input")
    page.get_by_role("option", name="first").click()
    page.wait_for_function("document.querySelector('#answer .by').innerText.startsWith('first')")
    other = answer.predict(Classifier(site.folder / "models/first.keras"), half_and_half)["probabilities"]
    assert shares(page, "#answer .song") == {genre: round(100 * share) for genre, share in other.items()}
    assert page.locator("#evidence img").count() == 0, "the evidence is the other network's"


@needs_browser
def test_it_opens_with_an_example_where_there_is_one(visit: Callable, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "models", tmp_path / "models")
    raw = tmp_path / "data/raw/demo"
    shutil.copytree(folder / "music", raw / "songs")
    rows = ["track_id,path,genre,title,song,version", "a,songs/high/0.wav,high,First Light,,"]
    (raw / "tracks.csv").write_text("\n".join(rows) + "\n")
    site = serve(tmp_path)
    try:
        page = visit(site)
        page.wait_for_selector("#answer .song")
        assert page.inner_text("#answer .name") == "First Light, synthetic"
        expected = answer.predict(Classifier(folder / "models/first.keras"), raw / "songs/high/0.wav")
        assert page.inner_text("#answer .genre").lower().startswith(expected["genre"])
        send(page, folder / "music/noise/1.wav")
        page.wait_for_function("document.querySelector('#answer .name')?.innerText == '1.wav'")
    finally:
        stop(site)


@needs_browser
@pytest.mark.soak
def test_two_versions_and_what_changed(site: Site, visit: Callable) -> None:
    page = visit(site)
    page.get_by_role("tab", name="Two versions").click()
    send(page, site.folder / "music/low/0.wav", "#before")
    page.wait_for_selector("text=Now upload the other version")
    send(page, site.folder / "music/noise/1.wav", "#after")
    page.wait_for_selector("#comparison .versions")
    assert page.inner_text("#comparison h3").lower() == "from low<b> to noise"
    network = Classifier(site.folder / "models/second.keras")
    before, after = (
        answer.predict(network, site.folder / "music" / name)["probabilities"] for name in ("low/0.wav", "noise/1.wav")
    )
    rows = page.locator("#comparison .change .label").all_inner_texts()
    assert rows == sorted(GENRES, key=lambda genre: before[genre] - after[genre])
    more = page.locator("#comparison .change .more")
    assert more.count() == sum(after[genre] > before[genre] for genre in GENRES)
    tops = [song.bounding_box()["y"] for song in page.locator("#comparison .song").all()]
    assert len(tops) == 2
    assert tops[0] < tops[1]
    labels = [
        [re.sub(r"\s*\d+.%", "", text) for text in song.locator(".label").all_inner_texts()]
        for song in page.locator("#comparison .song").all()
    ]
    assert labels[0] == labels[1], "rows are in the same order, one above the other"


@pytest.fixture(scope="module")
def beat(folder: Path) -> Path:
    """Twelve seconds at 120 quarter notes a minute: a kick drum and a bright stroke in turns, over a chord."""
    seconds = np.arange(12 * SAMPLE_RATE) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * hertz * seconds) for hertz in (220.0, 277.2, 329.6)) / 40
    kick = np.sin(2 * np.pi * 60 * seconds) * np.exp(-25 * (seconds % 1.0))
    stroke = np.random.default_rng(0).normal(0, 0.3, len(seconds)) * np.exp(-40 * ((seconds + 0.5) % 1.0))
    song = (chord + 0.6 * kick + 0.5 * stroke).astype(np.float32)
    soundfile.write(folder / "beat.wav", np.stack([song, 0.8 * song], axis=1) / 2, SAMPLE_RATE)
    return folder / "beat.wav"


@needs_browser
def test_a_remix_is_made_and_its_tipping_point_found(site: Site, visit: Callable, beat: Path) -> None:
    """On a phone: the remix is the second version, as the package makes it, and nothing is wider than the screen."""
    page = visit(site, 360, 780)
    page.get_by_role("tab", name="Two versions").click()
    page.get_by_text("Or make a remix of the first version").click()
    page.click("#make")
    page.wait_for_selector("#comparison .hint:has-text('Upload a first version')")
    send(page, beat, "#before")
    page.wait_for_selector("text=Now upload the other version")
    page.locator("#ingredients label", has_text="tempo").click()
    page.locator("#amount input[type=number]").fill("60")
    page.locator("#amount input[type=number]").press("Enter")
    page.click("#make")
    page.wait_for_selector("#comparison .versions")
    names = page.locator("#comparison .song .name").all_inner_texts()
    assert names == ["beat.wav", "beat.wav, remix: 60 % brazilian funk (drums, bass, filter)"]
    source = page.locator("#comparison audio").nth(1).get_attribute("src")
    sent, rate = soundfile.read(io.BytesIO(requests.get(site.url + source, timeout=5).content), dtype="float32")
    samples, own_rate = soundfile.read(beat, dtype="float32")
    made = Remixer(samples, own_rate, "brazilian_funk", remixing.SEED)
    assert rate == own_rate
    np.testing.assert_allclose(sent, made.render(dict.fromkeys(("drums", "bass", "filter"), 0.6)), atol=1e-4)
    page.click("#find")
    page.wait_for_selector("#curve .dose")
    assert page.inner_text("#curve h3").lower().split(" ")[0] in ("tips", "does", *GENRES)
    assert page.locator("#curve polyline.target").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    guessed = Path(source.partition("file=")[2]).parent.parent / "remix.wav"
    assert requests.get(f"{site.url}gradio_api/file={guessed}", timeout=5).status_code in (403, 404)


@needs_browser
@pytest.mark.soak
def test_a_song_without_a_beat_is_a_line(site: Site, visit: Callable, write_audio: Callable, tmp_path: Path) -> None:
    tone = write_audio(tmp_path / "tone.wav", np.sin(np.arange(SAMPLE_RATE * 12) / 9).astype(np.float32) / 3)
    page = visit(site)
    page.get_by_role("tab", name="Two versions").click()
    page.get_by_text("Or make a remix of the first version").click()
    send(page, tone, "#before")
    page.wait_for_selector("text=Now upload the other version")
    page.click("#make")
    page.wait_for_selector("#comparison .trouble:has-text('beat')")
    page.click("#find")
    page.wait_for_selector("#curve .trouble:has-text('beat')")


class Steps:
    """Networks that know the amount of an ingredient: a song is low, and high from an amount of 0.62 on."""

    def genres(self, architecture: str) -> list[str]:
        return ["low", "high", "noise"]

    def shares(self, samples: np.ndarray, rate: int, architecture: str) -> np.ndarray:
        high = 0.2 + 0.5 / 0.62 * 0.5 * float(samples.mean())
        return np.array([0.9 - high, high, 0.1]) if architecture == "steps" else np.array([0.0, 0.9, 0.1])


class Amount:
    """Remixes whose samples are the amount of the drums."""

    rate = SAMPLE_RATE

    def render(self, doses: dict[str, float]) -> np.ndarray:
        return np.full((100, 2), doses["drums"], np.float32)


def test_the_tipping_point_is_found_between_the_doses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remixing, "_remixer", lambda song, style: Amount())
    found = remixing.tipping(Steps(), Path("song"), "steps", "rock", ["drums"])
    assert (found.before, found.target) == ("low", "high")
    takes_over = (0.45 - 0.2) / (0.25 / 0.62)  # where both have 0.45
    assert takes_over <= found.tips_at <= takes_over + 0.025
    assert found.headline == f"Tips over to high at {100 * found.tips_at:.0f} %"
    assert found.doses == sorted(found.doses)
    (line,) = re.findall(r'<line x1="([\d.]+)"', pictures.dose_curve(found))
    assert float(line) == pytest.approx(found.tips_at, abs=1e-3)
    never = remixing.tipping(Steps(), Path("song"), "steps", "noise", ["drums"])
    assert never.headline == "Does not tip over to noise at any amount"
    at_once = remixing.tipping(Steps(), Path("song"), "always", "high", ["drums"])
    assert at_once.headline == "high without a remix already"
    assert "<line" not in pictures.dose_curve(never) + pictures.dose_curve(at_once)


@needs_browser
def test_bad_files_are_a_line_and_the_page_goes_on(
    site: Site, visit: Callable, tmp_path: Path, write_audio: Callable
) -> None:
    (tmp_path / "a<script>b.txt").write_text("no song")
    whole = write_audio(tmp_path / "whole.wav", np.sin(np.arange(SAMPLE_RATE * 8) / 9).astype(np.float32))
    (tmp_path / "torn.wav").write_bytes(whole.read_bytes()[:100000])
    (tmp_path / "nothing.mp3").write_bytes(b"")
    bad = {
        "a<script>b.txt": "cannot be decoded: damaged or not audio",
        "torn.wav": "is truncated: 2.3 s of the 8.0 s",
        write_audio(tmp_path / "quiet.wav", np.zeros(40000, np.float32)).name: "is silent: use a file with audible",
        write_audio(tmp_path / "short.wav", np.ones(9000, np.float32) / 2).name: "is too short (0.4 s; at least 1 s",
    }
    page = visit(site)
    for name, reason in bad.items():
        send(page, tmp_path / name)
        page.wait_for_selector(f"#answer .trouble:has-text('{reason}')")
        assert page.locator("#answer .song, #why:visible").count() == 0
    send(page, whole)
    page.wait_for_selector("#answer .song")
    assert page.locator(".trouble").count() == 0


@needs_browser
def test_two_visitors_do_not_mix(site: Site, visit: Callable) -> None:
    """Both at once, several times; and what one has sent cannot be found by another who knows its content."""
    first, second = visit(site), visit(site)
    for _ in range(2):
        send(first, site.folder / "music/low/2.wav")
        send(second, site.folder / "music/noise/2.wav")
        for page, genre in ((first, "low<b>"), (second, "noise")):
            page.wait_for_selector("#answer .song")
            assert page.inner_text("#answer .genre").lower().startswith(genre)
        first.click("#why")
        first.wait_for_selector("#evidence img")
        assert second.locator("#evidence img").count() == 0
    source = first.get_attribute("#answer audio", "src")
    assert source != second.get_attribute("#answer audio", "src")
    content = (site.folder / "music/low/2.wav").read_bytes()
    assert requests.get(site.url + source, timeout=5).content == content
    (store,) = site.folder.glob("genres-*")
    assert store.stat().st_mode & 0o077 == 0
    guessed = store / hashlib.sha256(content).hexdigest() / "2.wav"
    for path in (guessed, store, site.folder / "models/first.keras", Path("/etc/passwd"), Path(source).parent):
        assert requests.get(f"{site.url}gradio_api/file={path}", timeout=5).status_code in (403, 404), path
    for scheme in ("http", "https"):  # refused before Gradio asks that address
        answer = requests.get(f"{site.url}gradio_api/file={scheme}://example.org/", timeout=5)
        assert (answer.status_code, answer.text) == (403, "not here")
    assert requests.get(site.url, headers={"Host": "example.org"}, timeout=5).status_code == 400
    for route in ("", "config", "gradio_api/info"):
        assert store.name not in requests.get(site.url + route, timeout=5).text


@needs_browser
@pytest.mark.soak
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_no_horizontal_scrolling(site: Site, visit: Callable, half_and_half: Path, scheme: str) -> None:
    page = visit(site, 390, 844, color_scheme=scheme, has_touch=True)
    send(page, half_and_half)
    page.wait_for_selector("#answer .song")
    page.wait_for_function("scrollY > 100")  # the answer comes into sight by itself
    page.click("#why")
    page.wait_for_selector("#evidence img")
    widths = [page.evaluate("document.documentElement.scrollWidth")]
    page.get_by_role("tab", name="Two versions").click()
    send(page, half_and_half, "#before")
    page.wait_for_selector("text=Now upload the other version")
    send(page, half_and_half, "#after")
    page.wait_for_selector("#comparison .versions")
    widths.append(page.evaluate("document.documentElement.scrollWidth"))
    page.get_by_role("tab", name="Results").click()
    page.wait_for_selector("#board table")
    page.wait_for_selector("#pictures img")
    widths.append(page.evaluate("document.documentElement.scrollWidth"))
    assert max(widths) <= 390
    ink, ground = page.evaluate(
        "[getComputedStyle(document.querySelector('#board td')).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert contrast(ink, ground) > 4.5


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as the Web Content Accessibility Guidelines 2.1 define it."""

    def luminance(colour: str) -> float:
        parts = np.array([float(part) for part in re.findall(r"[\d.]+", colour)[:3]]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@needs_browser
@pytest.mark.soak
def test_results_and_a_recording(site: Site, visit: Callable) -> None:
    page = visit(site, permissions=["microphone"])
    page.get_by_role("tab", name="Results").click()
    page.wait_for_selector("#board table")
    assert page.locator("#board tbody td:nth-child(2)").all_inner_texts() == ["second", "first"]
    assert "LEAKY" in page.inner_text("#board .by")
    page.wait_for_function("document.querySelector('#pictures img')?.naturalWidth > 100")
    page.get_by_role("tab", name="A song").click()
    page.get_by_text("Or record one").click()
    page.locator("#record button:has-text('Record')").click()
    page.wait_for_timeout(2500)
    page.locator("#record button:has-text('Stop')").first.click()
    page.wait_for_selector("#answer .song")
    assert page.inner_text("#answer .name") == "recording"


@needs_browser
@pytest.mark.soak
def test_without_a_model_it_says_what_makes_one_and_files_go(visit: Callable, tmp_path: Path) -> None:
    site = serve(tmp_path, delete_after_s=1)
    page = visit(site)
    page.wait_for_selector("#notice:has-text('make repro')")
    write_song(tmp_path / "song.wav", *SOUNDS["high"], 1, 2.0)
    send(page, tmp_path / "song.wav")
    page.wait_for_selector("#answer:has-text('make repro')")
    page.get_by_role("tab", name="Results").click()
    page.wait_for_selector("#board:has-text('make repro')")
    for _ in range(100):
        if not list(tmp_path.glob("genres-*/*/song.wav")):
            break
        time.sleep(0.1)
    else:
        raise AssertionError("what was sent is still there")
    stop(site)


@pytest.mark.soak
def test_wrong_arguments_are_a_line(tmp_path: Path, folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments, line in (
            (["--port", port], "in use"),
            (["--port", "99999"], "--port: must be from 1 to 65535; received 99999"),
            (["--model", "none"], "no such model; there is first"),
        ):
            done = subprocess.run(
                [sys.executable, "-m", "genres", "app", *arguments],
                cwd=folder,
                env=clean_environment() | {"PYTHONPATH": str(ROOT / "src")},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 2
            assert line in done.stderr
            assert "Traceback" not in done.stderr


@pytest.mark.parametrize("sizes", [[1000], [1, 551, 552, 44100, 7], [30000] * 5])
def test_the_outline_holds_the_lowest_and_highest_samples(sizes: list[int]) -> None:
    samples = np.random.default_rng(3).uniform(-1, 1, sum(sizes)).astype(np.float32)
    samples[[-1, sizes[0] - 1]] = 2, -2  # the last of a song and of a block count, too
    outline = Outline(SAMPLE_RATE)
    blocks = np.split(samples, np.cumsum(sizes)[:-1])
    np.testing.assert_array_equal(np.concatenate(list(outline.through(blocks))), samples)
    points = outline.points()
    assert outline.seconds == len(samples) / SAMPLE_RATE
    assert points[:, 0].min() == samples.min()
    assert points[:, 1].max() == samples.max()
    assert (points[:, 0] <= points[:, 1]).all()


def test_long_songs_are_refused_before_they_are_decoded_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_song: Callable
) -> None:
    monkeypatch.setattr("genres.page.listening.MOST_MINUTES", 2 / 60)
    with pytest.raises(AudioError, match="too long") as error:
        decode(write_song(tmp_path / "long.wav", 1, 2.5), FORMAT)
    assert complaint("a.wav", error.value).startswith("“a.wav” is too long (longer than ")
    assert decode(write_song(tmp_path / "s.ogg", 1, 1.5), FORMAT)[2] == pytest.approx(1.5, abs=0.01)


def test_one_network_serves_many_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch, half_and_half: Path) -> None:
    """As if one came after the other; and a network that is trained again is loaded again."""
    monkeypatch.chdir(folder)
    networks = Networks()
    assert networks.names() == ["second", "first"]
    songs = [half_and_half, folder / "music/low/0.wav", folder / "music/noise/0.wav"] * 4
    alone = [Classifier(folder / "models/first.keras").timeline(spectrogram_of(song, FORMAT)).mean() for song in songs]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(lambda song: networks.predict(song, "first").timeline.mean(), songs))
    np.testing.assert_allclose(together, alone, atol=1e-6)
    kept = (folder / "models/first.keras").read_bytes()
    shutil.copy(folder / "models/second.keras", folder / "models/first.keras")
    try:
        assert networks.predict(half_and_half, "first").card["architecture"] == "second"
    finally:
        (folder / "models/first.keras").write_bytes(kept)


def test_names_from_elsewhere_are_text(folder: Path, monkeypatch: pytest.MonkeyPatch, half_and_half: Path) -> None:
    monkeypatch.chdir(folder)
    prediction = Networks().predict(half_and_half, "first")
    assert isinstance(prediction, Prediction)
    evil = '"><img src=x onerror=alert(1)>'
    bars, difference = pictures.bars(prediction), pictures.difference(prediction, prediction)
    for html in (pictures.song(prediction, evil, evil), bars, difference):
        assert "<img src=x" not in html
        assert "low<b>" not in html
    assert "<img" not in pictures.message(evil)
    assert results.pictures("../models") == ""
