// From an answer to elements of the page. page.js moves the cursor with the player.

function make(tag, attributes = {}, ...children) {
  const isSvg = ["svg", "rect", "title"].includes(tag);
  const made = isSvg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Set styles by script, which the content security policy allows, in place of an attribute. */
function styled(element, styles) {
  for (const [name, value] of Object.entries(styles)) element.style.setProperty(name, value);
  return element;
}

const percent = (share) => `${Math.round(100 * share)}\u00a0%`;

function clock(seconds) {
  const [minutes, rest] = [Math.floor(Math.round(seconds) / 60), Math.round(seconds) % 60];
  return `${minutes}:${String(rest).padStart(2, "0")}`;
}

export function message(text, kind) {
  return make("p", { class: `message ${kind}`, role: kind === "trouble" ? "alert" : "status" }, text);
}

const MOST_BARS = 14; // of 50 tags most are near 0 %

/** Return the elements of a song: verdict, player, genres over time; and its bars. */
export function show(answer, note, seconds, source, model) {
  const labels = Object.fromEntries(model.genres.map((genre, number) => [genre, model.labels[number]]));
  const ranked = Object.entries(answer.probabilities).sort(([, one], [, other]) => other - one);
  const by = make("p", { class: "by" }, model.about);
  const genre = make("p", { class: "genre" }, `${labels[answer.genre]} `);
  genre.append(make("span", {}, percent(answer.probabilities[answer.genre])));
  const audio = make("audio", { controls: "", preload: "metadata", src: source });
  // A recording declares no duration until its end was looked for, and cannot be sought in before.
  audio.onloadedmetadata = () => {
    if (audio.duration !== Infinity) return;
    audio.addEventListener("seeked", () => (audio.currentTime = 0), { once: true });
    audio.currentTime = 1e6;
  };
  const unplayable = "This browser cannot play this file's format; everything else works.";
  const song = make("section", { class: "song", "data-seconds": seconds, "data-answer": JSON.stringify(answer) });
  song.append(make("header", { class: "verdict" }, make("p", { class: "name" }, answer.file), genre, by));
  if (answer.warning) song.append(message(`N${answer.warning.slice(1)}.`, "hint"));
  if (note) song.append(message(note, "hint"));
  song.append(audio, make("p", { class: "message hint unplayable", hidden: "" }, unplayable));
  song.append(lanes(answer, ranked.slice(0, 6), labels, seconds));

  const rows = ranked.slice(0, MOST_BARS).flatMap(([name, share]) => [
    make("div", { class: "label" }, labels[name]),
    make("div", { class: "bar" }, styled(make("div"), { width: `${100 * share}%` })),
    make("div", { class: "value" }, percent(share)),
  ]);
  const bars = make("section", { class: "bars" }, make("h3", {}, "The whole song"), make("div", { class: "grid" }, ...rows));
  return [song, bars];
}

/** Return the genres over time: a row a genre, a rectangle a window, as opaque as the genre is probable. */
function lanes(answer, ranked, labels, seconds) {
  const drawn = make("div", { class: "lanes" });
  styled(drawn, { "--width": "100%", "--count": ranked.length });
  const add = (row, kind, label, ...content) => {
    const part = make("div", { class: "part" }, ...content);
    drawn.append(styled(make("div", { class: "label" }, ...label), { "grid-row": row }));
    drawn.append(styled(make("div", { class: `lane ${kind}` }, part), { "grid-row": row }));
  };
  ranked.forEach(([genre, share], row) => {
    const box = make("svg", { viewBox: `0 0 ${seconds} 1`, preserveAspectRatio: "none", role: "img" });
    const told = [];
    answer.timeline.forEach(({ start_s: start, probabilities }, number) => {
      const end = answer.timeline[number + 1]?.start_s ?? seconds; // windows may overlap
      told.push(`${clock(start)} ${percent(probabilities[genre])}`);
      const title = make("title", {}, `${clock(start)} to ${clock(end)}: ${labels[genre]} ${percent(probabilities[genre])}`);
      box.append(make("rect", { x: start, width: end - start, height: 1, "fill-opacity": probabilities[genre] }, title));
    });
    box.setAttribute("aria-label", `${labels[genre]} over time: ${told.join(", ")}`);
    add(row + 1, "row", [`${labels[genre]} `, make("b", {}, percent(share))], box);
  });
  const step = [1, 2, 5, 10, 15, 30, 60, 120].find((one) => seconds / one <= 6) ?? 300;
  const times = Array.from({ length: Math.ceil(seconds / step) }, (_, number) => number * step);
  const shown = times.filter((at) => at === 0 || at < 0.94 * seconds);
  const marks = shown.map((at) => styled(make("span", {}, clock(at)), { left: `${(100 * at) / seconds}%` }));
  add(ranked.length + 1, "axis", [], ...marks);
  const slider = { role: "slider", tabindex: 0, "aria-label": "place in the song", "aria-valuemin": 0 };
  const values = { "aria-valuemax": seconds.toFixed(1), "aria-valuenow": 0 };
  const cursor = make("div", { class: "cursor" });
  drawn.append(make("div", { class: "over" }, make("div", { class: "part", ...slider, ...values }, cursor)));
  return drawn;
}
