import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { pageFolder, root, setupPage } from "../../scripts/setup.ts";

type Chunk = { file: string; imports?: string[]; css?: string[]; isEntry?: boolean };

/** Bytes, gzipped, that a first visit may load before charts and engines. */
const budget = 250_000;

/** Imports of a source that are there when it runs, and workers that it starts. */
const imports =
  /(?:^|\n)(?:import|export)(?! type)[^;]*?from "([^"]+)"|import\("([^"]+)"\)|new URL\("([^"]+\.tsx?)"/g;

/** Sources that the page is made of, with what each imports. */
function sourcesOf(entry: string): Map<string, string[]> {
  const sources = new Map<string, string[]>();
  const add = (path: string) => {
    if (sources.has(path)) return;
    const named = [...readFileSync(path, "utf8").matchAll(imports)].map(([, a, b, c]) => (a ?? b ?? c)!);
    sources.set(path, named);
    for (const each of named) if (/^\.{1,2}\/.*\.tsx?$/.test(each)) add(join(path, "..", each));
  };
  add(entry);
  return sources;
}

describe("the sources of the page", () => {
  it("import no module of Node.js, wherever they lie: in a browser it is empty, and what uses it fails", () => {
    const sources = sourcesOf(join(root, "dapp/src/main.tsx"));
    assert.ok([...sources.keys()].some((path) => path.endsWith("training/trace/end-of-step.ts")));
    const found = [...sources].flatMap(([path, named]) =>
      named.filter((each) => each.startsWith("node:")).map((each) => `${path}: ${each}`),
    );
    assert.deepEqual(found, []);
  });
});

describe("the built page", () => {
  let manifest: Record<string, Chunk>;

  before(async () => {
    await setupPage();
    manifest = JSON.parse(readFileSync(join(pageFolder, ".vite", "manifest.json"), "utf8"));
  });

  /** What the browser loads for some chunks: with all they import at once, not what they may import later. */
  function filesOf(names: readonly string[]): Set<string> {
    const files = new Set<string>();
    const seen = new Set<string>();
    const add = (name: string) => {
      if (seen.has(name)) return;
      seen.add(name);
      const { file, imports = [], css = [] } = manifest[name]!;
      for (const each of [file, ...css]) files.add(each);
      imports.forEach(add);
    };
    names.forEach(add);
    return files;
  }

  it("is at most 250 kB gzipped until the overview is there", () => {
    const bytes = [...filesOf(["index.html", "src/pages/overview.tsx"])].map(
      (file) => gzipSync(readFileSync(join(pageFolder, file)), { level: 9 }).length,
    );
    const total = bytes.reduce((sum, each) => sum + each, 0);
    assert.ok(total <= budget, `${total} bytes`);
  });

  it("names its files relative to itself, and nothing elsewhere", () => {
    const html = readFileSync(join(pageFolder, "index.html"), "utf8");
    const named = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
    assert.ok(named.length >= 3);
    for (const path of named) {
      assert.match(path, /^\.\//);
      assert.ok(existsSync(join(pageFolder, path)), path);
    }
  });

  it("forbids inline scripts and styles, and eval", () => {
    const html = readFileSync(join(pageFolder, "index.html"), "utf8");
    const policy = /Content-Security-Policy"\s+content="([^"]+)"/.exec(html)?.[1];
    assert.ok(policy !== undefined);
    assert.match(policy, /default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'/);
    assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'/);
    assert.doesNotMatch(html, /<style|style="|<script(?![^>]*\ssrc=)/);
  });
});
