// Imported ahead of tests, by `node --import` or by vitest, this has Node look like one without relaxed SIMD: the module
// by which that is found out is the only one that is ever validated.
WebAssembly.validate = () => false;
