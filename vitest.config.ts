import { defineConfig } from "vitest/config";

/** Which binary of the engine the tests load, whatever the Node. */
const relaxed = { setupFiles: "cpp/toolchain/with_relaxed_simd.mjs", env: { ROPEWALK_SIMD: "relaxed" } };
const simd128 = { setupFiles: "tests/without_relaxed_simd.mjs", env: { ROPEWALK_SIMD: "simd128" } };

export default defineConfig({
  test: {
    environment: "node",
    projects: [
      {
        extends: true,
        test: { ...relaxed, name: "engine", include: ["tests/engine/**/*.test.ts"] },
      },
      {
        extends: true,
        test: {
          ...simd128,
          name: "engine-simd128",
          include: ["tests/engine/**/*.test.ts"],
          // Of memory and of types, both binaries have the same, and these tests take as long as all others. Threads have a
          // binary with relaxed SIMD.
          exclude: ["tests/engine/{memory,types,threads}.test.ts"],
        },
      },
      {
        extends: true,
        test: { ...relaxed, name: "conformance", include: ["tests/conformance/**/*.test.ts"] },
      },
      {
        extends: true,
        // A browser takes its time to start on a small machine.
        test: {
          ...relaxed,
          name: "page",
          include: ["tests/elements/**/*.test.ts", "tests/page/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 10_000 } },
        },
      },
    ],
  },
});
