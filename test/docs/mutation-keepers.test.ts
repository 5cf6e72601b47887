import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parts, readReport, sampleLines } from "../../scripts/mutation/keepers.ts";
import { watchMemory } from "../../scripts/mutation/memory-watch.ts";
import { root } from "../../scripts/setup.ts";

describe("mutants of the keepers", () => {
  it("are of code that is there, and held by tests that are there", () => {
    for (const { name, sources, tests } of parts) {
      assert.ok(globSync(sources, { cwd: root }).length > 0, `${name}: ${sources}`);
      for (const each of tests) assert.ok(globSync(each, { cwd: root }).length > 0, `${name}: ${each}`);
    }
  });

  it("lie in windows of lines that a seed draws, and all lines are drawn where all are asked for", () => {
    const files = ["scripts/mutation/keepers.ts", "scripts/mutation/sample.ts"];
    const drawn = sampleLines(files, 0.25, 15);
    assert.deepEqual(sampleLines(files, 0.25, 15), drawn);
    assert.notDeepEqual(sampleLines(files, 0.25, 16), drawn);
    for (const file of files) {
      const lines = new Set<number>();
      for (const window of sampleLines([file], 1, 15)) {
        const [, first, last] = window.match(/:(\d+)-(\d+)$/)!.map(Number);
        for (let line = first!; line <= last!; line++) lines.add(line);
      }
      assert.equal(lines.size, readFileSync(join(root, file), "utf8").split("\n").length);
    }
  });

  it("count as killed when a test fails or hangs, as survivors when none reaches them, and not when they never ran", () => {
    const at = (status: string) => ({
      ...{ mutatorName: "Negate", replacement: "b > a", status },
      location: { start: { line: 2, column: 8 }, end: { line: 2, column: 13 } },
    });
    const statuses = [
      "Killed",
      "Timeout",
      "Survived",
      "NoCoverage",
      "Ignored",
      "RuntimeError",
      "CompileError",
    ];
    const source = "// nothing\nreturn a > b;\n";
    const files = {
      "keepers/src/core/a.ts": { source, mutants: statuses.map(at) },
      "keepers/src/core/b.ts": { source, mutants: [at("Ignored")] },
    };
    const survivor = { mutant: "Negate: a > b → b > a", line: 2 };
    assert.deepEqual(readReport({ files }), {
      "core/a": { mutants: 4, killed: 2, timeouts: 1, equivalent: 0, survivors: [survivor, survivor] },
    });
  });
});

const linux = process.platform === "linux";

it("ends a process that asks for too much memory, and what it started, and leaves others", {
  skip: !linux,
}, async () => {
  const greedy = "const kept = []; setInterval(() => kept.push(Buffer.alloc(32 << 20, 1)), 20);";
  const parent = `
    const { spawn } = require("node:child_process");
    const child = (code) => spawn(process.execPath, ["-e", code]);
    const modest = child("setInterval(() => {}, 1000)");
    const big = child(${JSON.stringify(greedy)});
    big.on("exit", (_, signal) => { console.log(signal, modest.exitCode === null); modest.kill(); });
  `;
  const child = spawn(process.execPath, ["-e", parent], { stdio: ["ignore", "pipe", "inherit"] });
  const unwatch = watchMemory(child.pid!, 400 * 2 ** 20, 50);
  try {
    const said = (await child.stdout.setEncoding("utf8").toArray()).join("");
    assert.equal(said.trim(), "SIGKILL true");
  } finally {
    unwatch();
  }
});
