import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { inputsOf } from "../inputs.mjs";
import { tinyAttention } from "../tiny.mjs";
import { finish, modelBytes } from "./finish.mjs";

await loadLiteRt("/peers/@litertjs/core/wasm/");
const model = await loadAndCompile(modelBytes(), { accelerator: "wasm" });
const { qLen, headDim } = tinyAttention;
const { query, key, value } = inputsOf(tinyAttention);
const tensors = [query, key, value].map((data) => Tensor.fromTypedArray(data, [1, 1, qLen, headDim]));
finish((await model.run(tensors))[0].toTypedArray());
