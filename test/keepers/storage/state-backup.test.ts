import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, it } from "node:test";
import { backUp, restore } from "../../../keepers/src/storage/state/backup.ts";
import { openState } from "../../../keepers/src/storage/state/state.ts";

const totals = { name: "totals", migrations: ["CREATE TABLE totals (worker TEXT, total TEXT) STRICT"] };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "assay-backup-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function makeKeeper(): Promise<string> {
  const data = join(folder, "keeper");
  await mkdir(join(data, "jobs", "7", "run"), { recursive: true });
  await mkdir(join(data, "blobs"), { recursive: true });
  await writeFile(join(data, "bls.key"), "0x01");
  await writeFile(join(data, "jobs", "7", "run", "secret"), "0x02");
  await writeFile(join(data, "blobs", "big.sqlite"), "what can be fetched again");
  return data;
}

describe("a keeper's backup", () => {
  it("holds what cannot be rebuilt as it was at one moment, while the keeper writes, and gives it back", async () => {
    const data = await makeKeeper();
    const state = openState({ path: join(data, "state.sqlite"), schemas: [totals] });
    state.run("INSERT INTO totals VALUES ('w', '17')");
    const file = join(folder, "backup.sqlite");
    const { files } = await backUp(data, file);
    state.run("INSERT INTO totals VALUES ('w', '18')");
    state.close();
    assert.equal(files, 3);
    assert.equal((await stat(file)).mode & 0o777, 0o600);

    const restored = join(folder, "restored");
    await restore(file, restored);
    const again = openState({ path: join(restored, "state.sqlite"), schemas: [totals] });
    assert.deepEqual(
      again.all("SELECT total FROM totals").map(({ total }) => total),
      ["17"],
    );
    again.close();
    assert.equal(await readFile(join(restored, "jobs", "7", "run", "secret"), "utf8"), "0x02");
    for (const name of ["state.sqlite", "bls.key"])
      assert.equal((await stat(join(restored, name))).mode & 0o777, 0o600);
  });

  it("never takes the place of a file that is there, on either way", async () => {
    const data = await makeKeeper();
    const file = join(folder, "backup.sqlite");
    await backUp(data, file);
    await assert.rejects(backUp(data, file), /is there already/);
    await assert.rejects(restore(file, data), /is there already/);
    await assert.rejects(backUp(join(folder, "nowhere"), join(folder, "b")), /cannot be read/);
  });

  it("attack: writes nothing outside its folder, and nothing that no keeper has", async () => {
    const data = await makeKeeper();
    for (const path of [
      "../outside.sqlite",
      "/tmp/outside.sqlite",
      "a/../../secret",
      "start.sh",
      "..\\secret",
    ]) {
      const file = join(folder, "forged.sqlite");
      await rm(file, { force: true });
      await backUp(data, file);
      const database = new DatabaseSync(file);
      database.prepare("UPDATE files SET path = ? WHERE path = 'bls.key'").run(path);
      database.close();
      await assert.rejects(restore(file, join(folder, "target")), /no backup of a keeper/, path);
    }
    await writeFile(join(folder, "text"), "not a database");
    await assert.rejects(restore(join(folder, "text"), join(folder, "target")), /no backup of a keeper/);
  });
});
