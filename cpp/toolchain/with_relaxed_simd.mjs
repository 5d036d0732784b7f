// Imported ahead of tests, by `node --import` or by vitest, this has Node 20 run relaxed SIMD too, as later ones do.
import { setFlagsFromString } from "node:v8";

if (Number.parseInt(process.versions.node, 10) < 21) setFlagsFromString("--experimental-wasm-relaxed-simd");
