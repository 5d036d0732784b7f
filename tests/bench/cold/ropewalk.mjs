import { loadRopewalk } from "../../../dist/engine/index.js";
import { inputsOf } from "../inputs.mjs";
import { tinyAttention } from "../tiny.mjs";
import { finish } from "./finish.mjs";

const ropewalk = await loadRopewalk();
const { nHeads, headDim, qLen, causal } = tinyAttention;
finish(ropewalk.attention({ ...inputsOf(tinyAttention), nHeads, headDim, qLen, causal }).out);
