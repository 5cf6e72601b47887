import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { StateError } from "../../../../keepers/src/storage/state/errors.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { ledger } from "./ledger.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "assay-state-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Lets the child commit at least one row, then kills it; returns the last id that it said was committed. */
async function writeUntilKilled(path: string, rows: number): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "crash.child.ts"), path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let last = 0;
  let count = 0;
  for await (const chunk of child.stdout) {
    const ids = String(chunk).trim().split("\n");
    last = Number(ids.at(-1));
    count += ids.length;
    if (count >= rows) child.kill("SIGKILL");
  }
  return last;
}

describe("state", () => {
  it("keeps every committed transaction and no part of another when the process is killed in the middle", async () => {
    const path = join(folder, "keeper.sqlite");
    let promised = 0;
    for (const rows of [1, 3, 8]) {
      const last = await writeUntilKilled(path, rows);
      assert.ok(last > promised, "the child went on where the killed one had stopped");
      promised = last;
      const state = openState({ path, schemas: [ledger] });
      const torn = state.all("SELECT id FROM ledger GROUP BY id HAVING count(*) <> 2");
      assert.deepEqual(torn, []);
      const stored = state.get("SELECT count(DISTINCT id) AS ids, max(id) AS last FROM ledger")!;
      assert.equal(stored.ids, stored.last, "no id is missing");
      assert.ok(Number(stored.last) >= promised, "what was announced as committed is there");
      state.close();
    }
  });

  it("rolls back a transaction whose work throws, and only the inner one of two", () => {
    const state = openState({ path: ":memory:", schemas: [ledger] });
    const insert = (id: number) => state.run("INSERT INTO ledger (id, side) VALUES (?, 'debit')", id);
    assert.throws(
      () =>
        state.transaction(() => {
          insert(1);
          throw new Error("boom");
        }),
      /boom/,
    );
    state.transaction(() => {
      insert(2);
      assert.throws(() =>
        state.transaction(() => {
          insert(3);
          insert(2);
        }),
      );
      insert(4);
    });
    assert.deepEqual(
      state.all("SELECT id FROM ledger ORDER BY id").map(({ id }) => id),
      [2n, 4n],
    );
    state.close();
  });

  it("refuses an asynchronous transaction, and leaves nothing of it", () => {
    const state = openState({ path: ":memory:", schemas: [ledger] });
    const work = async () => {
      state.run("INSERT INTO ledger (id, side) VALUES (1, 'debit')");
    };
    assert.throws(() => state.transaction(work), /synchronous/);
    assert.equal(state.get("SELECT count(*) AS n FROM ledger")!.n, 0n);
    state.close();
  });

  it("gives 64-bit integers back without losing bits", () => {
    const state = openState({ path: ":memory:", schemas: [ledger] });
    const large = 2n ** 63n - 1n;
    state.run("INSERT INTO ledger (id, side) VALUES (?, 'debit')", large);
    assert.equal(state.get("SELECT id FROM ledger")!.id, large);
    state.close();
  });

  it("applies only the migrations that are new", () => {
    const path = join(folder, "keeper.sqlite");
    openState({ path, schemas: [ledger] }).close();
    const more = {
      ...ledger,
      migrations: [...ledger.migrations, "ALTER TABLE ledger ADD COLUMN note TEXT DEFAULT 'none'"],
    };
    const state = openState({ path, schemas: [more] });
    state.run("INSERT INTO ledger (id, side) VALUES (1, 'debit')");
    assert.equal(state.get("SELECT note FROM ledger")!.note, "none");
    state.close();
  });

  it("applies all of a release's migrations or none", () => {
    const path = join(folder, "keeper.sqlite");
    const broken = { ...ledger, migrations: [...ledger.migrations, "CREATE TABLE ledger (clash INTEGER)"] };
    assert.throws(() => openState({ path, schemas: [broken] }), StateError);
    openState({ path, schemas: [ledger] }).close();
  });

  it("refuses a state that a newer version wrote", () => {
    const path = join(folder, "keeper.sqlite");
    openState({ path, schemas: [ledger] }).close();
    assert.throws(
      () => openState({ path, schemas: [{ ...ledger, migrations: [] }] }),
      (error: StateError) => error instanceof StateError && /newer version/.test(error.message),
    );
  });

  it("says what to do about a damaged file and does not touch it", () => {
    const path = join(folder, "keeper.sqlite");
    const state = openState({ path, schemas: [ledger] });
    for (let id = 0; id < 2000; id++) state.run("INSERT INTO ledger (id, side) VALUES (?, 'debit')", id);
    state.close();
    const bytes = readFileSync(path);
    bytes.fill(0x5a, 4096, 12288);
    writeFileSync(path, bytes);
    copyFileSync(path, `${path}.before`);
    assert.throws(
      () => openState({ path, schemas: [ledger] }),
      (error: StateError) =>
        error instanceof StateError && /^restore it from a backup into another folder/.test(error.next ?? ""),
    );
    assert.deepEqual(readFileSync(path), readFileSync(`${path}.before`));
    writeFileSync(path, "not a database at all, but long enough to be looked at as one".repeat(20));
    assert.throws(() => openState({ path }), StateError);
  });

  it("is nobody's but its owner's to read, also when an earlier one was everybody's", () => {
    const path = join(folder, "keeper.sqlite");
    openState({ path, schemas: [ledger] }).close();
    chmodSync(path, 0o644);
    const state = openState({ path, schemas: [ledger] });
    state.run("INSERT INTO ledger (id, side) VALUES (1, 'debit')");
    for (const file of [path, `${path}-wal`, `${path}-shm`])
      assert.equal(statSync(file).mode & 0o077, 0, file);
    state.close();
  });

  it("lets a reader in while a writer holds the lock, and makes a second writer wait for its turn", () => {
    const path = join(folder, "keeper.sqlite");
    const first = openState({ path, schemas: [ledger], busyTimeout: 1 });
    const second = openState({ path, schemas: [ledger], busyTimeout: 1 });
    first.transaction(() => {
      first.run("INSERT INTO ledger (id, side) VALUES (1, 'debit')");
      assert.equal(second.get("SELECT count(*) AS n FROM ledger")!.n, 0n);
      assert.throws(() => second.transaction(() => undefined), /locked/);
    });
    assert.equal(second.get("SELECT count(*) AS n FROM ledger")!.n, 1n);
    first.close();
    second.close();
  });
});
