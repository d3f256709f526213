// The page: a song in, its genres over time out.
import { load, predict } from "./answer.js";
import { SongError, decode } from "./decode.js";
import { message, show } from "./show.js";

const byId = (id) => document.getElementById(id);
const say = (text) => (byId("status").textContent = text);

function complain(text) {
  say("");
  byId("answer").replaceChildren(message(text, "trouble"));
}

const model = load();
model.then(
  (known) => {
    say("Ready.");
    byId("limits").textContent = `up to ${known.most_minutes} minutes and ${known.most_megabytes} MB`;
    byId("about").textContent =
      `Model: ${known.about}. Licence: ${known.licence}. It runs by ${known.runtime} (MIT licence, Microsoft Corporation).`;
  },
  (error) =>
    complain(
      location.protocol === "file:"
        ? "A browser loads a model from a web server only: python3 -m http.server in this folder."
        : `This page cannot load its model: ${error.message}.`,
    ),
);

let turns = 0, source = "";

async function open(file, name) {
  const turn = ++turns, url = URL.createObjectURL(file), began = performance.now();
  document.querySelector(".trouble")?.remove();
  try {
    const known = await model;
    say(`Decoding “${name}” …`);
    const { note, seconds, ...sound } = await decode(file, url, known);
    say(`Predicting “${name}” …`);
    const answer = await predict(sound, name, known);
    if (turn !== turns) return URL.revokeObjectURL(url); // another song was chosen meanwhile
    URL.revokeObjectURL(source);
    source = url;
    byId("answer").replaceChildren(...show(answer, note, seconds, url, known));
    say(`Done in ${((performance.now() - began) / 1000).toFixed(1)} s.`);
  } catch (error) {
    URL.revokeObjectURL(url);
    if (turn !== turns) return;
    complain(`“${name}” ${error instanceof SongError ? error.message : `cannot be predicted: ${error.message}`}.`);
  }
}

const chooser = document.querySelector("#drop input");
chooser.addEventListener("change", () => {
  const [file] = chooser.files;
  if (file) open(file, file.name);
  chooser.value = ""; // so that the same file can be chosen again
});
for (const name of ["dragover", "dragleave", "drop"])
  document.addEventListener(name, (event) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", name === "dragover");
    const file = name === "drop" && event.dataTransfer.files[0];
    if (file) open(file, file.name);
  });

let recorder = null;
byId("record").addEventListener("click", async ({ currentTarget: button }) => {
  if (recorder) return recorder.stop();
  const sound = { echoCancellation: false, noiseSuppression: false, autoGainControl: false }; // these are for speech
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: sound });
  } catch (error) {
    const reason = navigator.mediaDevices ? error.message : "the page must come by https";
    return complain(`The microphone cannot be used: ${reason}.`);
  }
  const parts = [];
  recorder = new MediaRecorder(stream);
  recorder.ondataavailable = ({ data }) => parts.push(data);
  recorder.onstop = () => {
    for (const track of stream.getTracks()) track.stop();
    const type = recorder.mimeType;
    recorder = null;
    button.textContent = "Record";
    button.setAttribute("aria-pressed", "false");
    open(new Blob(parts, { type }), "recording");
  };
  recorder.start();
  button.textContent = "Stop recording";
  button.setAttribute("aria-pressed", "true");
});

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark", dark.matches);
dark.addEventListener("change", follow);
follow();

// Browsers have service workers on https and on this machine only; the page works without.
const keeper = navigator.serviceWorker;
keeper?.ready.then(() => (byId("offline").textContent = "Saved on this device: it works offline."));
keeper?.register("sw.js").then(
  (registration) => {
    const offer = () => (byId("update").hidden = !(registration.waiting && keeper.controller));
    offer();
    registration.onupdatefound = ({ target }) => target.installing.addEventListener("statechange", offer);
    byId("update").onclick = () => {
      keeper.oncontrollerchange = () => location.reload();
      registration.waiting.postMessage("take over");
    };
  },
  () => {}, // offline is not possible then
);
