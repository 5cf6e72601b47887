import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
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

test("SECURITY.md and docs/disputes.md give the reporter's share that is deployed", () => {
  const folder = join(root, "ignition/parameters");
  const shares = readdirSync(folder).map(
    (name) => /reporterShare: (\d+)/.exec(readFileSync(join(folder, name), "utf8"))?.[1],
  );
  assert.ok(shares.length > 1);
  const [share] = new Set(shares);
  assert.deepEqual(new Set(shares), new Set([share]), "one for all networks");
  for (const document of ["SECURITY.md", "docs/disputes.md"]) {
    const text = readFileSync(join(root, document), "utf8");
    assert.ok(text.includes(`${Number(share) / 100} of 100 tokens`), document);
  }
});
