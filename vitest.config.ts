import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: { name: "engine", include: ["tests/engine/**/*.test.ts"], environment: "node" },
      },
      {
        extends: true,
        test: { name: "conformance", include: ["tests/conformance/**/*.test.ts"], environment: "node" },
      },
      {
        extends: true,
        // A browser takes its time to start on a small machine.
        test: {
          name: "page",
          include: ["tests/elements/**/*.test.ts", "tests/page/**/*.test.ts"],
          environment: "node",
          testTimeout: 60_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 10_000 } },
        },
      },
    ],
  },
});
