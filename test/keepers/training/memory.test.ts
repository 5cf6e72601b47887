import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { readDigits } from "../../../keepers/src/storage/readers/digits.ts";
import { FileObjects } from "../../../keepers/src/training/data/file-objects.ts";
import { gatherObjects } from "../../../keepers/src/training/data/gather.ts";
import { MemoryObjects } from "../../../keepers/src/training/data/memory-objects.ts";
import { nativeExecutor } from "../../../keepers/src/training/executors/native.ts";
import { train } from "../../../keepers/src/training/trainer/train.ts";
import { assay } from "../cli/terminal.ts";
import { newRun, options } from "./trainer/fixture.ts";

const cwd = await mkdtemp(join(tmpdir(), "assay-memory-"));
after(() => rm(cwd, { recursive: true, force: true }));

describe("a dataset that memory does not hold", () => {
  it("trains from a file, with the same bits as from memory", async () => {
    const roots = new Set<string>();
    for (const memoryBytes of [2 ** 20, 2 ** 14]) {
      const spool = join(cwd, "spool");
      const { source } = await gatherObjects(await readDigits(), { spool, memoryBytes });
      assert.ok(source instanceof (memoryBytes === 2 ** 20 ? MemoryObjects : FileObjects));
      const run = await newRun({ steps: 100 });
      const session = await nativeExecutor.open(run.program, options);
      roots.add((await train({ run, session, source, checkpoint: { every: 100 } })).stateRoot);
      await session.close();
      await source.close();
    }
    assert.equal(roots.size, 1);
    assert.deepEqual(await readdir(cwd), [], "nothing is left of the file");
  });

  it("of more bytes than memoryMiB allows trains by the command line, and replays", async () => {
    // 57 MiB of data, of which the model reads a few bytes of each object; 56 MiB are allowed for all.
    const objectBytes = 2 ** 16;
    const data = new Uint8Array(912 * objectBytes);
    for (let object = 0; object < 912; object++) {
      const at = object * objectBytes;
      for (let i = 0; i < 16; i++) data[at + i] = (object * (i + 3) * 7) & 255;
      data[at + objectBytes - 1] = object % 3;
    }
    await writeFile(join(cwd, "data.bin"), data);
    const states = new Set<unknown>();
    for (const memoryMiB of [56, 1024]) {
      const config = {
        dataset: { source: "data.bin", objectBytes, split: { train: "3/4" } },
        input: { offset: 0, encoding: "u8", shape: [16] },
        target: { offset: objectBytes - 1, encoding: "u8", classes: 3 },
        model: { kind: "softmax-regression" },
        microBatch: 8,
        steps: 12,
        interval: 6,
        learningRate: 0.05,
        memoryMiB,
      };
      const name = `of-${memoryMiB}`;
      await writeFile(join(cwd, `${name}.json`), JSON.stringify(config));
      const { code, out, err } = await assay(["train", `${name}.json`, "--json"], { cwd, env: {} });
      assert.equal(code, 0, err);
      states.add((JSON.parse(out.trim().split("\n").at(-1)!) as { stateRoot: string }).stateRoot);
      assert.ok(!(await readdir(join(cwd, `${name}-run`))).some((file) => file.endsWith(".spool")));
    }
    assert.equal(states.size, 1);
    const replayed = await assay(["replay", "of-56-run"], { cwd, env: {} });
    assert.equal(replayed.code, 0, replayed.err);
    assert.match(await readFile(join(cwd, "of-56-run", "run.json"), "utf8"), /"memoryMiB": 56/);
  });
});
