"""Plugin of beets (https://beets.io): genres by a trained model, on import and with `beet genres`.

    plugins: genres
    genres:
        model: /path/to/model.onnx
        confidence: 0.5   # least probability of a genre that is written
        auto: yes         # on import
        force: no         # also replace genres that are there

The genre of a song comes from its sound. Songs with a genre are left alone, and so are those that the model is unsure
of, that are unlike its training songs, or that cannot be read. `genre_source` says which model a genre comes from.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mediafile
from beets import ui
from beets.importer import ImportSession, ImportTask
from beets.library import Item, Library
from beets.plugins import BeetsPlugin

from genres.core.console import UserError
from genres.inference.answer import predict
from genres.inference.classifier import Classifier, choose_model
from genres.library.form import SOURCE
from genres.library.tag import CONFIDENCE, source_of
from genres.library.woven_tags import MP4_SOURCE


class GenresPlugin(BeetsPlugin):
    """The plugin."""

    def __init__(self) -> None:
        super().__init__()
        self.config.add({"model": "", "confidence": CONFIDENCE, "auto": True, "force": False})
        self._classifier: Classifier | None = None
        styles = (mediafile.MP3DescStorageStyle(SOURCE), mediafile.MP4StorageStyle(MP4_SOURCE))
        others = (mediafile.StorageStyle(SOURCE), mediafile.ASFStorageStyle(SOURCE))
        self.add_media_field("genre_source", mediafile.MediaField(*styles, *others))
        if self.config["auto"].get(bool):
            self.import_stages = [self.imported]
            self.register_listener("import_task_files", self.written)
        self._new: set[int | None] = set()

    def imported(self, session: ImportSession, task: ImportTask) -> None:
        """Find the genres of songs that are imported."""
        for item in self._find(task.imported_items(), force=False):
            item.store()
            self._new.add(item.id)
        if task.is_album:
            self._of_albums(task.imported_items())

    def written(self, session: ImportSession, task: ImportTask) -> None:
        """Write the genres into the files, now in the library: beets does not if songs are imported as they are."""
        for item in task.imported_items():
            if item.id in self._new and not task.apply and ui.should_write():
                item.try_write()
            self._new.discard(item.id)

    def commands(self) -> list[ui.Subcommand]:
        """Return the command `beet genres`."""
        command = ui.Subcommand("genres", help="find the genres of songs by their sound")
        command.parser.add_option("-p", "--pretend", action="store_true", help="show the genres, change nothing")
        command.parser.add_option("-f", "--force", action="store_true", help="also replace genres that are there")
        command.func = self._run
        return [command]

    def _run(self, library: Library, options: Any, words: list[str]) -> None:
        force = options.force or self.config["force"].get(bool)
        changed = self._find(library.items(words), force=force)
        for item in changed:
            ui.show_model_changes(item, fields=["genres", "genre_source"])
            if not options.pretend:
                item.try_sync(write=ui.should_write(), move=False)
        if not options.pretend:
            self._of_albums(changed)

    def _find(self, items: Iterable[Item], *, force: bool) -> list[Item]:
        """Set the genres of songs that need one; return those songs, which are not stored yet."""
        changed = []
        for item in items:
            if item.get("genres", with_album=False) and not force:
                continue
            try:
                answer = predict(self._loaded(), Path(item.filepath))
            except ui.UserError:
                raise
            except Exception as error:  # AudioError and whatever else a file may cause: the import goes on
                self._log.warning("{}: {}", item.filepath, " ".join(str(error).split()))
                continue
            probability = answer["probabilities"][answer["genre"]]
            if answer["warning"] or probability < self.config["confidence"].as_number():
                self._log.info("{}: unsure: {} {:.2f}", item.filepath, answer["genre"], probability)
                continue
            item.genres = [answer["genre"]]
            item.genre_source = source_of(answer["model"], probability)
            changed.append(item)
        return changed

    def _of_albums(self, items: Iterable[Item]) -> None:
        """Give albums without a genre the most frequent one of their songs."""
        for album in {album.id: album for item in items if (album := item.get_album())}.values():
            genres = Counter(genre for item in album.items() for genre in item.get("genres", with_album=False) or ())
            if genres and not album.genres:
                album.genres = [genres.most_common(1)[0][0]]
                album.store(inherit=False)

    def _loaded(self) -> Classifier:
        if self._classifier is None:
            name = self.config["model"].as_str()
            if not name:
                raise ui.UserError("genres: model: name a model file in beets' configuration, such as /path/model.onnx")
            try:
                path = Path(name).expanduser()
                self._classifier = Classifier(choose_model(str(path) if path.suffix else name))
            except UserError as error:
                raise ui.UserError(f"genres: model: {error}") from None
        return self._classifier
