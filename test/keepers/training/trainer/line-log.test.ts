import assert from "node:assert/strict";
import { constants } from "node:buffer";
import { appendFile, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LineLog } from "../../../../keepers/src/training/trainer/line-log.ts";
import { folder } from "./fixture.ts";

const parse = (value: unknown) => (typeof value === "string" ? value : undefined);

async function append(path: string, lines: number, ...values: string[]): Promise<void> {
  const log = await LineLog.open<string>(path, lines);
  for (const value of values) await log.append(value);
  await log.close();
}

describe("a log of lines", () => {
  it("gives what was appended, whole or one by one, and nothing where there is no file", async () => {
    const path = join(folder, "log");
    assert.deepEqual(await LineLog.read(path, parse), []);
    assert.equal(await LineLog.at(path, 0, parse), undefined);
    // Lines of every length around what is read at a time, with letters of several bytes.
    const values = Array.from({ length: 12 }, (_, i) => "é".repeat(2 ** (2 * i)));
    await append(path, 0, ...values);
    assert.deepEqual(await LineLog.read(path, parse), values);
    for (const [i, value] of values.entries()) assert.equal(await LineLog.at(path, i, parse), value);
    assert.equal(await LineLog.at(path, values.length, parse), undefined);
  });

  it("goes on after the lines that count, and leaves out what a crash cut off", async () => {
    const path = join(folder, "cut");
    await append(path, 0, "one", "two", "three");
    await appendFile(path, '"fo');
    assert.deepEqual(await LineLog.read(path, parse), ["one", "two", "three"]);
    await append(path, 2, "3");
    assert.equal(await readFile(path, "utf8"), '"one"\n"two"\n"3"\n');
    await writeFile(path, '"one"\n2\n"three"\n');
    assert.deepEqual(await LineLog.read(path, parse), ["one"]);
    await append(path, 0);
    assert.equal((await stat(path)).size, 0);
  });

  it("attack: that is longer than a string can be is read, and goes on", async () => {
    const path = join(folder, "long");
    const line = Buffer.from(`"${"7".repeat(2 ** 20 - 3)}"\n`);
    const lines = Math.ceil(constants.MAX_STRING_LENGTH / line.length) + 1;
    const file = await open(path, "w");
    for (let i = 0; i < lines; i++) await file.write(line);
    await file.close();
    let seen = 0;
    await LineLog.each(path, parse, () => {
      seen++;
    });
    assert.equal(seen, lines);
    await append(path, lines - 1, "last");
    assert.equal(await LineLog.at(path, lines - 1, parse), "last");
    assert.equal((await stat(path)).size, (lines - 1) * line.length + '"last"\n'.length);
    await rm(path);
  });
});
