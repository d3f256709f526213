// Keeps the cursor over a song's pictures in step with its player; a click on the pictures seeks.
(() => {
  const songOf = (element) => element.closest?.(".song");

  function follow(song) {
    const audio = song.querySelector("audio");
    const slider = song.querySelector(".over .part");
    const seconds = Number(song.dataset.seconds);
    const share = Math.min(1, audio.currentTime / seconds);
    slider.querySelector(".cursor").style.left = `${100 * share}%`;
    slider.setAttribute("aria-valuenow", audio.currentTime.toFixed(1));
  }

  function keepFollowing(song) {
    follow(song);
    const audio = song.querySelector("audio");
    if (!audio.paused && song.isConnected) requestAnimationFrame(() => keepFollowing(song));
  }

  function seek(song, seconds) {
    const audio = song.querySelector("audio");
    audio.currentTime = Math.max(0, Math.min(seconds, Number(song.dataset.seconds)));
    follow(song);
  }

  // Media events do not bubble, so one capturing listener on the document serves songs that are added later.
  const onAudio = (name, handle) =>
    document.addEventListener(name, (event) => songOf(event.target) && handle(songOf(event.target), event), true);

  onAudio("play", (song) => {
    for (const other of document.querySelectorAll(".song audio")) if (songOf(other) !== song) other.pause();
    keepFollowing(song);
  });
  for (const name of ["pause", "timeupdate", "seeked", "ended"]) onAudio(name, follow);
  onAudio("error", (song) => (song.querySelector(".unplayable").hidden = false));

  document.addEventListener("pointerdown", (event) => {
    const slider = event.target.closest?.(".over .part");
    if (!slider) return;
    const box = slider.getBoundingClientRect();
    const song = songOf(slider);
    seek(song, ((event.clientX - box.left) / box.width) * Number(song.dataset.seconds));
  });

  // On a narrow screen a result appears below the clicked element, so scroll to it.
  new MutationObserver((changes) => {
    if (window.innerWidth > 640) return;
    for (const change of changes)
      for (const added of change.addedNodes) {
        const found = added.matches?.(".song, .change, .trouble") ? added : added.querySelector?.(".song, .change, .trouble");
        if (found) return found.scrollIntoView({ behavior: "smooth", block: "start" });
      }
  }).observe(document.documentElement, { childList: true, subtree: true });

  // Keys of the tab that reviews labels: each clicks on its button; those of genres only after "c".
  let choosing = false;
  function choose(now) {
    choosing = now;
    document.querySelector("#review .choices")?.classList.toggle("now", now);
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#review .correct")) choose(true);
    else if (event.target.closest?.("#review [data-action]")) choose(false);
  });
  document.addEventListener("keydown", (event) => {
    const review = document.querySelector("#review .review");
    if (!review?.checkVisibility() || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.matches?.("input, textarea, select, [contenteditable]")) return;
    if (event.key === "Escape") return choose(false);
    const key = event.key.toLowerCase();
    const button = [...review.querySelectorAll("[data-key]")].find((each) => each.dataset.key === key);
    if (!button || (/^\d$/.test(key) && !choosing)) return;
    event.preventDefault();
    button.click();
  });

  document.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !event.target.matches?.(".over .part")) return;
    const song = songOf(event.target);
    seek(song, song.querySelector("audio").currentTime + step);
    event.preventDefault();
  });
})();
