"""Typed recipes of data sets: the entries of `datasets` in params.yaml."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from genres.core.names import same_text
from genres.core.paths import project_root

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class Strict(BaseModel):
    """Immutable model; refuses unknown keys and converts only whole numbers to floats."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Recipe(Strict):
    """Base of all recipes."""

    has_audio: ClassVar[bool] = True  # else there are published spectrograms, of the default front end

    mels: dict[str, Any] = {}
    train: dict[str, Any]

    @property
    def own_songs(self) -> Path | None:
        """The folder of the user's own songs; None if there is none."""
        return None


class DemoRecipe(Recipe):
    """Synthetic music: see src/genres/sources/demo/."""

    source: Literal["demo"]
    genres: list[str] = Field(min_length=2)
    artists_per_genre: Count
    songs_per_artist: Count
    song_seconds: Positive
    remixes: int = Field(ge=0)
    seed: int = Field(ge=0)


class SelectiveRecipe(Recipe):
    """Base of the recipes that can select genres."""

    genres: list[str] | None
    exclude_genres: list[str]

    def includes(self, genre: str) -> bool:
        """Return True if the recipe selects this genre."""
        name = same_text(genre)
        excluded = map(same_text, self.exclude_genres)
        return name not in excluded and (self.genres is None or name in map(same_text, self.genres))


class LocalRecipe(SelectiveRecipe):
    """Base of the recipes that read a local folder."""

    dir: Annotated[Path, Field(strict=False)]

    @property
    def own_songs(self) -> Path:
        """The folder of the user's own songs."""
        return self.dir.expanduser().absolute()


class FolderRecipe(LocalRecipe):
    """A folder of genre folders: see src/genres/sources/folder.py."""

    source: Literal["folder"]


class LibraryRecipe(LocalRecipe):
    """A music library with genres in its tags: see src/genres/sources/library.py."""

    source: Literal["library"]
    tree: Annotated[Path, Field(strict=False)]
    level: Literal["top", "as_tagged"] | Count
    several: Literal["drop", "first"]
    min_artists: Count
    scan: Count


class MelsRecipe(LocalRecipe):
    """A data set published as spectrograms: see src/genres/sources/mels.py."""

    has_audio: ClassVar[bool] = False

    source: Literal["mels"]
    sample_rate: Count
    n_fft: Count
    n_mels: Count
    frame_rate: Positive

    @model_validator(mode="after")
    def _is_as_published(self) -> "MelsRecipe":
        if self.mels:
            raise ValueError("mels: published spectrograms cannot be recomputed; leave it empty: {}")
        return self


class GtzanRecipe(LocalRecipe):
    """GTZAN: see src/genres/sources/gtzan.py."""

    source: Literal["gtzan"]
    metadata: str


# The names of its folders.
GTZAN_GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")


class RemixPair(Strict):
    """Two versions of one song on Spotify."""

    song: str
    original: str
    original_genre: str
    remix: str
    remix_genre: str


AudioSource = Literal["spotify", "deezer_isrc", "deezer_search", "itunes_isrc", "itunes_search"]


class SpotifyRecipe(SelectiveRecipe):
    """Spotify playlists, grouped by genre: see src/genres/sources/spotify/."""

    source: Literal["spotify"]
    playlists: dict[str, list[str]]
    songs_dir: Annotated[Path, Field(strict=False)]
    remixes: list[RemixPair]
    audio_from: list[AudioSource] = Field(min_length=1)
    market: str = Field(pattern="^[A-Z]{2}$")
    max_tracks: Count | None
    min_tracks: Count
    balance: Literal["smallest", "none"]
    conflicts: Literal["drop", "first"]

    @property
    def own_songs(self) -> Path:
        """The folder of the user's own songs."""
        return project_root() / self.songs_dir.expanduser()

    @property
    def playlist_genres(self) -> list[str]:
        """The selected genres that have playlists."""
        wanted = self.playlists if self.genres is None else self.genres
        return [genre for genre in wanted if genre in self.playlists and genre not in self.exclude_genres]

    @property
    def all_genres(self) -> list[str]:
        """The genres of the whole data set."""
        return self.playlist_genres

    @model_validator(mode="after")
    def _has_playlists(self) -> "SpotifyRecipe":
        unknown = [genre for genre in self.genres or [] if genre not in self.playlists]
        if unknown and self.source == "spotify":
            raise ValueError(f"genres: '{unknown[0]}' has no playlists; add it (an empty list for own songs only)")
        if not self.playlist_genres:
            raise ValueError("playlists: no genre is left; for GTZAN alone: dataset=gtzan")
        for pair in self.remixes:
            for genre in (pair.original_genre, pair.remix_genre):
                if genre not in self.all_genres:
                    raise ValueError(f"remixes: {pair.song}: '{genre}' is none of {', '.join(self.all_genres)}")
            if pair.original == pair.remix:
                raise ValueError(f"remixes: {pair.song}: original and remix are the same link")
        return self


class GtzanPlusRecipe(SpotifyRecipe):
    """GTZAN and playlists: see src/genres/sources/gtzan_plus.py."""

    source: Literal["gtzan_plus"]  # type: ignore[assignment]
    dir: Annotated[Path, Field(strict=False)]
    metadata: str

    @property
    def own_songs(self) -> Path:
        """The folder of GTZAN, whose songs are read in place."""
        return self.dir.expanduser().absolute()

    @property
    def gtzan_genres(self) -> list[str]:
        """The selected genres of GTZAN."""
        return [g for g in GTZAN_GENRES if g not in self.exclude_genres and (self.genres is None or g in self.genres)]

    @property
    def all_genres(self) -> list[str]:
        """The genres of the whole data set."""
        return [*self.gtzan_genres, *(genre for genre in self.playlist_genres if genre not in self.gtzan_genres)]


AnyRecipe = DemoRecipe | FolderRecipe | LibraryRecipe | MelsRecipe | GtzanRecipe | SpotifyRecipe | GtzanPlusRecipe
