// From samples to the genres of a song and of its windows. worker.js runs the model.

let worker, asked = 0;
const replies = new Map();

/** Ask the worker for the genres of a sound, which it resamples to the model's rate. */
function ask(sound, rate) {
  return new Promise((resolve, reject) => {
    replies.set(++asked, { resolve, reject });
    worker.postMessage({ number: asked, sound, rate }, [sound.samples.buffer]);
  });
}

/** Start the worker and load the model; return what `genres web` wrote of it. */
export async function load() {
  worker = new Worker("worker.js", { type: "module" });
  worker.onerror = () => replies.forEach(({ reject }) => reject(new Error("this browser cannot run it")));
  worker.onmessage = ({ data }) => {
    const { resolve, reject } = replies.get(data.number);
    replies.delete(data.number);
    if (data.error) reject(new Error(data.error));
    else resolve(data);
  };
  const model = await fetch("model.json").then((answer) => answer.json());
  await ask({ samples: new Float32Array(3 * 44100), rate: 44100 }, model.sample_rate); // compiles what a song needs
  return model;
}

/** Round half to even, as Python does. */
const round = (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** Return start and end of the windows in seconds: the rule of genres.data.windows. */
function windowsOf(length, model) {
  const hop = model.sample_rate / model.frame_rate;
  const last = length + 2 * Math.floor(model.n_fft / 2) - model.n_fft;
  let frames = Math.floor(last / hop) + 2;
  while (round((frames - 1) * hop) > last) frames--;
  const seconds = frames / model.frame_rate;
  const whole = Math.max(0, Math.floor((seconds - model.length_s) / model.step_s + 1e-6));
  const microseconds = (x) => round(1e6 * x) / 1e6;
  const starts = Array.from({ length: whole + 1 }, (_, number) => microseconds(number * model.step_s));
  const rest = seconds - model.length_s;
  if (rest - starts[whole] > model.step_s / 2) starts.push(microseconds(rest));
  return starts.map((start) => {
    const frame = Math.max(0, Math.min(round(start * model.frame_rate), frames - model.window_frames));
    return [frame / model.frame_rate, Math.min((frame + model.window_frames) / model.frame_rate, seconds)];
  });
}

/** Return the same as `genres predict --json` for samples and their rate. */
export async function predict(sound, name, model) {
  const found = await ask(sound, model.sample_rate);
  const windows = windowsOf(found.length, model);
  const byGenre = (shares) => Object.fromEntries(model.genres.map((genre, number) => [genre, shares[number]]));
  const probabilities = byGenre(found.song);
  const distance = Number.isNaN(found.score) ? null : found.score;
  const unlike = distance !== null && distance > model.threshold;
  return {
    file: name,
    model: model.architecture,
    genre: model.candidates.reduce((best, genre) => (probabilities[genre] > probabilities[best] ? genre : best)),
    probabilities,
    timeline: windows.map(([start_s, end_s], number) => {
      const first = number * model.genres.length;
      return { start_s, end_s, probabilities: byGenre(found.windows.slice(first, first + model.genres.length)) };
    }),
    distance,
    threshold: model.threshold,
    warning: unlike
      ? `none of these? The out-of-distribution score is ${distance.toFixed(2)}; ` +
        `a song of a new artist exceeds ${model.threshold.toFixed(2)} in 5 % of cases`
      : null,
  };
}
