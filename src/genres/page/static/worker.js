// Runs the model apart from the page, which stays responsive meanwhile.
import * as ort from "./ort.js";
import { resample } from "./resample.js";

// Threads need headers (COOP and COEP) that file servers do not send.
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = { wasm: new URL("ort.wasm", import.meta.url).href };

const loaded = ort.InferenceSession.create("model.onnx", { executionProviders: ["wasm"], logSeverityLevel: 3 });

onmessage = async ({ data: { number, sound, rate } }) => {
  try {
    const session = await loaded;
    const samples = resample(sound.samples, sound.rate, rate);
    const length = samples.length;
    const { probabilities, song, score } = await session.run({ samples: new ort.Tensor("float32", samples, [length]) });
    postMessage({ number, length, windows: probabilities.data, song: song.data, score: score.data[0] });
  } catch (error) {
    postMessage({ number, error: error.message });
  }
};
