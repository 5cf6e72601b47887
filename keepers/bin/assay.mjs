#!/usr/bin/env node
// The `assay` command: hands over to the TypeScript entry point on the project's own Node.js.
process.argv.splice(2, 0, "keepers/src/cli/main.ts");
await import("../../scripts/run.mjs");
