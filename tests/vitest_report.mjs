// A Vitest reporter that writes what tests/run.mjs sums up: counts, and why each skipped test was.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export default class Report {
  onTestRunEnd(modules, unhandledErrors) {
    const report = { passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const module of modules) {
      // A file that does not load, or a hook outside of any test that fails.
      if (module.errors().length > 0) report.failed++;
      for (const suite of module.children.allSuites()) report.failed += suite.errors().length > 0 ? 1 : 0;
      for (const test of module.children.allTests()) {
        const { state, note } = test.result();
        if (state === "passed") report.passed++;
        else if (state === "failed") report.failed++;
        else
          report.skipped.push({
            name: test.fullName,
            reason: note ?? (test.options.mode === "todo" ? "to do" : "marked so"),
          });
      }
    }
    const file = process.env.ROPEWALK_REPORT;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(report));
  }
}
