import assert from "node:assert/strict";
import { cp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { bytesToHex } from "viem";
import type { TrainingOrder } from "../../../../keepers/src/core/exact/order.ts";
import { programRoot } from "../../../../keepers/src/core/exact/tape/descriptor.ts";
import type { Program } from "../../../../keepers/src/core/exact/tape/types.ts";
import {
  checkpointName,
  readCheckpoint,
  writeCheckpoint,
} from "../../../../keepers/src/training/trainer/checkpoint.ts";
import { requireStorable } from "../../../../keepers/src/training/trainer/program-file.ts";
import { createRun, openRun } from "../../../../keepers/src/training/trainer/run-folder.ts";
import { digitsModel, folder, model, newRun, orderOf } from "./fixture.ts";

describe("the folder of a run", () => {
  it("gives back what was put in it; its secret is for its owner alone", async () => {
    const run = await newRun();
    assert.deepEqual(await openRun(run.path), run);
    assert.equal((await stat(join(run.path, "secret"))).mode & 0o077, 0);
  });

  it("is refused when a part was changed, is missing or belongs to another run", async () => {
    const run = await newRun();
    const changes: [string, (path: string) => Promise<void>][] = [
      [
        "run.json",
        async (path) =>
          writeFile(path, (await readFile(path, "utf8")).replace('"steps": 200', '"steps": 201')),
      ],
      ["run.json", async (path) => writeFile(path, "{")],
      [
        "program.json",
        async (path) => writeFile(path, (await readFile(path, "utf8")).replace("58982", "58983")),
      ],
      ["program.json", (path) => rm(path)],
      ["secret", (path) => writeFile(path, "0x12")],
    ];
    for (const [i, [name, change]] of changes.entries()) {
      const path = join(folder, `changed-${i}`);
      await cp(run.path, path, { recursive: true });
      await change(join(path, name));
      await assert.rejects(openRun(path), new RegExp(name.replace(".", "\\.")));
    }
  });

  it("is refused when its program breaks a rule that makes it checkable, whatever root it has", async () => {
    const [, ...others] = model.program.tapes[1];
    const [first, , last] = model.program.tapes;
    const program: Program = { ...model.program, tapes: [first, others, last] };
    const order = orderOf({ programRoot: bytesToHex(programRoot(program)) });
    const run = await newRun();
    const path = join(folder, "void");
    await createRun({ ...run, path, program, order });
    await assert.rejects(openRun(path), { name: "VoidProgramError" });
  });

  it("is refused when its order is for another number of bits or samples than its program", async () => {
    const run = await newRun();
    for (const [i, change] of [{ bits: 16 }, { microBatch: 16, microBatches: 1 }].entries()) {
      const path = join(folder, `other-${i}`);
      await createRun({ ...run, path, order: orderOf(change as Partial<TrainingOrder>) });
      await assert.rejects(openRun(path), /program\.json is damaged, or of another run/);
    }
  });

  it("is not begun with more given weights than its file can hold", async () => {
    const run = await newRun();
    const initializer = { kind: "given", mantissas: { length: 2 ** 26 } as Int32Array } as const;
    const program = { ...run.program, state: [{ ...run.program.state[0]!, initializer }] };
    const path = join(folder, "large");
    await assert.rejects(createRun({ ...run, path, program }), /gives 67108864 first weights.* at most/);
    await assert.rejects(stat(path), { code: "ENOENT" });
  });

  it("attack: is not begun with a program that it could not give back", async () => {
    const run = await newRun();
    const [first, ...others] = run.program.state;
    const named = (length: number) => {
      return { ...run.program, state: [{ ...first!, name: "w".repeat(length) }, ...others] };
    };
    const path = join(folder, "unreadable");
    await assert.rejects(createRun({ ...run, path, program: named(257) }), /no program: .*name/);
    await assert.rejects(stat(path), { code: "ENOENT" });
    // So many nodes that fewer weights than usual fit beside them.
    const nodes = Array.from({ length: 65_536 }, () => run.program.tapes[0][0]!);
    const initializer = { kind: "given", mantissas: { length: 61_800_000 } as Int32Array } as const;
    const given = [{ ...first!, initializer }, ...others];
    requireStorable({ ...run.program, state: given });
    const tapes: Program["tapes"] = [nodes, run.program.tapes[1], run.program.tapes[2]];
    assert.throws(() => requireStorable({ ...run.program, state: given, tapes }), /61800000 first weights/);
  });

  it("is never made where files of others are, nor twice", async () => {
    const run = await newRun();
    await assert.rejects(createRun(run), /holds a run already/);
    const path = join(folder, "foreign");
    await cp(run.path, path, { recursive: true });
    await rm(join(path, "run.json"));
    await createRun({ ...run, path });
    await rm(join(path, "run.json"));
    await writeFile(join(path, "thesis.txt"), "");
    await assert.rejects(createRun({ ...run, path }), /there is thesis\.txt in it/);
  });
});

describe("a checkpoint", () => {
  const header = {
    programRoot: `0x${"01".repeat(32)}`,
    trainingHash: `0x${"02".repeat(32)}`,
    step: 12,
    stateRoot: `0x${"03".repeat(32)}`,
  } as const;
  const state = model.program.state.map(({ layout }, slot) =>
    Int32Array.from(
      { length: layout.shape.reduce((a, b) => a * b, 1) },
      (_, i) => (i * 2654435761 + slot) | 0,
    ),
  );

  it("comes back bit for bit, and any changed byte is noticed", async () => {
    const path = await writeCheckpoint(folder, { ...header, state });
    assert.equal(path, join(folder, checkpointName(12)));
    assert.deepEqual(await readCheckpoint(path, model.program), { ...header, state });
    const bytes = await readFile(path);
    for (const at of [0, 8, 20, 200, 400, bytes.length - 33, bytes.length - 1]) {
      const changed = Uint8Array.from(bytes);
      changed[at]! ^= 0x10;
      await writeFile(path, changed);
      await assert.rejects(readCheckpoint(path, model.program), { name: "CheckpointError" }, `byte ${at}`);
    }
    for (const length of [0, 11, 12, bytes.length - 1]) {
      await writeFile(path, bytes.subarray(0, length));
      await assert.rejects(
        readCheckpoint(path, model.program),
        { name: "CheckpointError" },
        `${length} bytes`,
      );
    }
    await writeFile(path, Buffer.concat([bytes, new Uint8Array(10_000)]));
    await assert.rejects(readCheckpoint(path, model.program), /longer than a checkpoint/);
  });

  it("with a mantissa that no weight has is passed over like a damaged one", async () => {
    const least = state.map((slot) => slot.slice());
    least[1]![0] = -(2 ** 31);
    const path = await writeCheckpoint(folder, { ...header, step: 14, state: least });
    await assert.rejects(readCheckpoint(path, model.program), { name: "CheckpointError" });
  });

  it("of another program is refused", async () => {
    const path = await writeCheckpoint(folder, { ...header, step: 13, state });
    const { program } = digitsModel();
    const other = { ...program, state: program.state.slice(1) };
    await assert.rejects(readCheckpoint(path, other), { name: "CheckpointError" });
  });
});
