import * as ort from "onnxruntime-web/wasm";
import { inputsOf } from "../inputs.mjs";
import { tinyAttention } from "../tiny.mjs";
import { finish, modelBytes } from "./finish.mjs";

ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(modelBytes(), { executionProviders: ["wasm"] });
const { qLen, headDim } = tinyAttention;
const feeds = Object.entries(inputsOf(tinyAttention)).map(([name, data]) => [
  name,
  new ort.Tensor("float32", data, [1, 1, qLen, headDim]),
]);
finish((await session.run(Object.fromEntries(feeds))).out.data);
