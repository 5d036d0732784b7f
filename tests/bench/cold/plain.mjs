import { inputsOf } from "../inputs.mjs";
import { attention } from "../peers/plain.mjs";
import { tinyAttention } from "../tiny.mjs";
import { finish } from "./finish.mjs";

finish(attention(inputsOf(tinyAttention), tinyAttention).out);
