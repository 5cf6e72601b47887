import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { readEntitySchema } from "../../subgraph/node/schema/entity-schema.ts";
import { Database, DatabaseInUseError } from "../../subgraph/node/store/database.ts";

const schema = readEntitySchema("type Note @entity(immutable: true) { id: ID! text: String! }");
const folder = mkdtempSync(join(tmpdir(), "assay-database-"));
after(() => rmSync(folder, { recursive: true }));

const note = (database: Database, id: number): void => {
  const insert = `INSERT INTO "Note" ("block$from", id, text) VALUES (1, ?, ?)`;
  database.transaction(() => database.run(insert, String(id), "a note ".repeat(100)));
};
const count = (database: Database) => database.get('SELECT count(*) AS n FROM "Note"')!.n;

describe("the log of the database", () => {
  it("is taken over by a thread while more is written, once it is long enough", async () => {
    const path = join(folder, "notes.sqlite");
    const database = Database.open(path, schema, "notes");
    for (let i = 0; i < 1_000; i++) note(database, i);
    const log = statSync(`${path}-wal`).size;
    await database.checkpoint(log + 1);
    assert.ok(statSync(path).size < log / 10, "not long enough");
    const taken = database.checkpoint(log);
    for (let i = 1_000; i < 1_100; i++) note(database, i);
    await taken;
    await database.checkpoint(1);
    assert.equal(statSync(`${path}-wal`).size, 0, "cut by the thread");

    const copy = join(folder, "copy.sqlite");
    copyFileSync(path, copy);
    const alone = Database.open(copy, schema, "notes");
    assert.equal(count(alone), 1_100n, "all of it is in the file without its log");
    alone.close();
    note(database, 1_100);
    assert.ok(statSync(`${path}-wal`).size < log / 10, "the log begins anew");
    assert.equal(count(database), 1_101n);
    database.close();
  });

  it("does not bring a database back that was removed", async () => {
    const path = join(folder, "removed.sqlite");
    const database = Database.open(path, schema, "notes");
    note(database, 1);
    const taken = database.checkpoint(1);
    rmSync(path);
    await assert.rejects(taken, /unable to open/);
    assert.equal(statSync(path, { throwIfNoEntry: false }), undefined);
    database.close();
  });
});

describe("a database", () => {
  it("is written to by one node at a time, whatever became of the one before", () => {
    const path = join(folder, "locked.sqlite");
    const database = Database.open(path, schema, "notes");
    for (const open of [Database.open, Database.openOrRebuild])
      assert.throws(() => open(path, schema, "notes"), DatabaseInUseError);
    note(database, 1);
    database.close();
    const again = Database.open(path, schema, "notes");
    assert.equal(count(again), 1n);
    again.close();
  });
});

describe("a reader of the database", () => {
  it("sees what was committed, one state for all it reads, and writes nothing", () => {
    const path = join(folder, "read.sqlite");
    const database = Database.open(path, schema, "notes");
    const reader = Database.openToRead(path);
    note(database, 1);
    reader.read(() => {
      assert.equal(count(reader), 1n);
      note(database, 2);
      assert.equal(count(reader), 1n);
    });
    assert.equal(count(reader), 2n);
    assert.throws(() => note(reader, 3), /readonly/);
    reader.close();
    database.close();
  });
});
