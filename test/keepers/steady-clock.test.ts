import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "../..");

test("No keeper measures time by the wall clock, which somebody can set back", () => {
  const files = globSync(["keepers/src/**/*.ts", "subgraph/node/**/*.ts"], { cwd: root });
  assert.ok(files.length > 300, `${files.length} files`);
  const found = files.filter((file) => /Date\.now|new Date\(\)/.test(readFileSync(join(root, file), "utf8")));
  assert.deepEqual(found, []);
});
