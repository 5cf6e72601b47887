import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";

const root = resolve(import.meta.dirname, "../..");

/** Documents that name tests, and how many at least. */
const documents = { "SECURITY.md": 40, "docs/jobs.md": 40 };

for (const [document, least] of Object.entries(documents)) {
  test(`every test that ${document} names is there`, () => namesOnlyWhatIsThere(document, least));
}

function namesOnlyWhatIsThere(document: string, least: number): void {
  const text = readFileSync(join(root, document), "utf8");
  const missing: string[] = [];
  let named = 0;
  for (const line of text.split("\n").filter((each) => each.includes("`test/"))) {
    for (const reference of line.split(/(?=`test\/)/).slice(1)) {
      const path = /^`(test\/[^`]+)`/.exec(reference)![1]!;
      const source = existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : "";
      if (source === "") missing.push(path);
      const words = [...reference.matchAll(/"([^"]+)"/g)].map(([, each]) => each!);
      assert.ok(words.length > 0, `no test is named in ${path}`);
      for (const each of words) {
        named++;
        if (!source.includes(each)) missing.push(`${path}: ${each}`);
      }
    }
  }
  assert.ok(named > least, `only ${named} tests are named`);
  assert.deepEqual(missing, []);
}
