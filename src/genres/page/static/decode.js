// From an audio file to samples: mono, at the file's own rate where it tells it.

// Trouble with a song, as the end of a sentence that begins with its name.
export class SongError extends Error {}

/** Return the duration that the file declares, in seconds; NaN or Infinity if it declares none. */
function declaredSeconds(source) {
  return new Promise((resolve) => {
    const probe = new Audio();
    probe.onloadedmetadata = () => resolve(probe.duration);
    probe.onerror = () => resolve(NaN);
    probe.preload = "metadata";
    probe.src = source;
  });
}

/** Decode a file, whose address is `source`: samples, their rate, the seconds, and a note about them or "". */
export async function decode(file, source, model) {
  if (file.size > model.most_megabytes * 2 ** 20) throw new SongError("is too large: use a part of it");
  const tooLong = new SongError(`is too long (longer than ${model.most_minutes} minutes): use a part of it`);
  const mostSeconds = 60 * model.most_minutes;
  const content = await file.arrayBuffer().catch(() => {
    throw new SongError("cannot be opened: choose a file, not a folder");
  });
  if (!content.byteLength) throw new SongError("is empty: the file has no content");
  if ((await declaredSeconds(source)) > mostSeconds + 1) throw tooLong; // before it fills the memory
  // Decodes to the rate of the context. Losses of a resampling to 44100 Hz lie above the spectrograms' bands.
  const rate = declaredRate(new DataView(content)) ?? 44100;
  const audio = await new OfflineAudioContext(1, 1, rate).decodeAudioData(content).catch(() => {
    throw new SongError("cannot be decoded: damaged, not audio, or of a format that this browser lacks");
  });
  if (audio.duration > mostSeconds) throw tooLong;
  const found = mixDown(audio);
  const peak = found.samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  if (!Number.isFinite(peak)) throw new SongError("has samples that are not numbers (NaN or infinity)");
  if (peak < model.silence_peak) throw new SongError("is silent: use a file with audible music");
  if (audio.duration < model.least_seconds)
    throw new SongError(
      `is too short (${audio.duration.toFixed(1)} s; at least ${model.least_seconds} s are needed): use a longer part`,
    );
  return { ...found, rate, seconds: audio.duration };
}

/** Return the rate that a wav, mp3, flac or Vorbis file declares, in Hz; undefined for others. */
function declaredRate(view) {
  const text = (at, length) => String.fromCharCode(...new Uint8Array(view.buffer, at, length));
  let rate;
  try {
    if (text(0, 4) === "RIFF") rate = rateOfWav(view, text);
    else if (text(0, 4) === "fLaC") rate = view.getUint32(18) >>> 12;
    else if (text(29, 6) === "vorbis") rate = view.getUint32(40, true);
    else rate = rateOfMp3(view, text(0, 3) === "ID3");
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // the file ends before
  }
  return rate >= 8000 && rate <= 96000 ? rate : undefined; // what all browsers decode to
}

function rateOfWav(view, text) {
  let at = 12;
  for (let size; text(at, 4) !== "fmt "; at += 8 + size + (size % 2)) size = view.getUint32(at + 4, true);
  return view.getUint32(at + 12, true);
}

function rateOfMp3(view, isTagged) {
  let at = isTagged ? 10 : 0;
  if (isTagged) for (let place = 6; place < 10; place++) at += view.getUint8(place) << (7 * (9 - place));
  if (view.getUint16(at) < 0xffe0) return undefined;
  const version = (view.getUint8(at + 1) >> 3) & 3; // 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
  return [44100, 48000, 32000][(view.getUint8(at + 2) >> 2) & 3] / [4, NaN, 2, 1][version];
}

/** Return the mean of the channels; where they cancel each other out, as genres.audio.decode, the loudest. */
function mixDown(audio) {
  const channels = Array.from({ length: audio.numberOfChannels }, (_, number) => audio.getChannelData(number));
  const samples = new Float32Array(audio.length);
  for (const channel of channels)
    for (let at = 0; at < samples.length; at++) samples[at] += channel[at] / channels.length;
  const powers = channels.map(power);
  const total = powers.reduce((sum, one) => sum + one) / channels.length;
  if (channels.length === 1 || power(samples) >= total / 100) return { samples, note: "" };
  const loudest = powers.indexOf(Math.max(...powers));
  const note = `Its channels cancel each other out; only channel ${loudest + 1} is used.`;
  return { samples: channels[loudest].slice(), note };
}

function power(samples) {
  let sum = 0;
  for (let at = 0; at < samples.length; at++) sum += samples[at] ** 2;
  return sum;
}
