import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { add, env, matMul, mul, ready, setBackend, softmax, tensor } from "@tensorflow/tfjs-core";
import { inputsOf } from "../inputs.mjs";
import { causalMask } from "../peers/constants.mjs";
import { tinyAttention } from "../tiny.mjs";
import { finish } from "./finish.mjs";

setWasmPaths("/peers/@tensorflow/tfjs-backend-wasm/dist/");
env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
await setBackend("wasm");
await ready();
const { qLen, headDim } = tinyAttention;
const matrix = (data) => tensor(data, [qLen, headDim]);
const { query, key, value } = inputsOf(tinyAttention);
const scores = mul(matMul(matrix(query), matrix(key), false, true), 1 / Math.sqrt(headDim));
const weights = softmax(add(scores, tensor(causalMask(qLen), [qLen, qLen])));
finish(matMul(weights, matrix(value)).dataSync());
