// npm install --ignore-scripts onnxruntime-node@1.30.0; node node.mjs model.onnx song.wav
import { readFileSync } from "node:fs";
import ort from "onnxruntime-node";

const [modelFile, song] = process.argv.slice(2);
const fail = (message, file = song) => { console.error(`error: ${file}: ${message}`); process.exit(2); };
process.on("uncaughtException", (error) => fail(error.message.split("\n")[0], song ? modelFile : "usage: node node.mjs MODEL WAV"));

// Number and content of the fields of a message in Protocol Buffers' format, except numbers.
function* fields(bytes) {
  let at = 0;
  const varint = () => { for (let value = 0, unit = 1; ; unit *= 128) { value += (bytes[at] & 127) * unit; if (bytes[at++] < 128) return value; } };
  while (at < bytes.length) {
    const tag = varint(), value = varint();
    if (tag % 8 === 2) yield [tag >> 3, bytes.subarray(at, (at += value))];
  }
}

function samplesOf(file, rate) {
  if (file.toString("latin1", 0, 4) !== "RIFF" || file.toString("latin1", 8, 12) !== "WAVE") fail("is no wav file");
  const chunks = {};
  for (let at = 12; at + 8 <= file.length; ) {
    const size = file.readUInt32LE(at + 4);
    chunks[file.toString("latin1", at, at + 4)] = file.subarray(at + 8, at + 8 + size);
    at += 8 + size + (size % 2);
  }
  const { "fmt ": format, data } = chunks;
  if (!format || !data) fail("is no whole wav file");
  if (format.readUInt32LE(4) !== rate) fail(`has ${format.readUInt32LE(4)} Hz; the model takes ${rate} Hz`);
  const channels = format.readUInt16LE(2), bits = format.readUInt16LE(14);
  const kind = format.readUInt16LE(format.length >= 40 ? 24 : 0); // in the longer form it comes later
  const read = { "1/16": (at) => data.readInt16LE(2 * at) / 32768, "3/32": (at) => data.readFloatLE(4 * at) }[`${kind}/${bits}`];
  if (!read) fail("has samples that are neither 16-bit integers nor 32-bit floats");
  const mean = (at) => { let sum = 0; for (let c = 0; c < channels; c++) sum += read(at * channels + c); return sum / channels; };
  return Float32Array.from({ length: Math.floor(data.length / (bits / 8) / channels) }, (_, at) => mean(at));
}

// The card is in the metadata, field 14, for which onnxruntime-node has no call.
const entries = [...fields(readFileSync(modelFile))].filter(([field]) => field === 14).map(([, entry]) => [...fields(entry)]);
const card = Object.fromEntries(entries.map(([[, key], [, value]]) => [key, JSON.parse(value)]));
const samples = samplesOf(readFileSync(song), card.spectrogram.sample_rate);
const session = await ort.InferenceSession.create(modelFile, { logSeverityLevel: 3 });
const { song: found } = await session.run({ samples: new ort.Tensor("float32", samples, [samples.length]) });
const ranked = card.genres.map((genre, at) => [found.data[at], genre]).sort(([one], [other]) => other - one);
for (const [share, genre] of ranked) console.log(`${(100 * share).toFixed(2).padStart(6)} % ${genre}`);
