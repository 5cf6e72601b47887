import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ErasureCode } from "../../../../keepers/src/core/erasure/code.ts";
import { randomBytes, seededRandom } from "./random.ts";

const directory = mkdtempSync(join(tmpdir(), "assay-isal-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const encoder = join(directory, "encode");
const source = fileURLToPath(new URL("../../../interop/isal/encode.c", import.meta.url));
const build = spawnSync("cc", ["-O1", source, "-o", encoder, "-lisal"], { encoding: "utf8" });
const missing = build.status === 0 ? undefined : (build.error?.message ?? build.stderr);
// Continuous integration installs the C compiler and libisal; elsewhere the comparison is a bonus.
const skip = missing !== undefined && !process.env.CI ? "no C compiler or libisal here" : false;

test("parity equals ISA-L's, byte for byte", { skip }, () => {
  assert.equal(missing, undefined, "continuous integration must be able to build the ISA-L encoder");
  const random = seededRandom(21);
  const cases = [
    [8, 11, 98],
    [8, 11, 65536],
    [1, 2, 33],
    [4, 6, 1],
    [16, 20, 784],
    [100, 140, 64],
    [254, 255, 40],
  ] as const;
  for (const [k, n, length] of cases) {
    const data = Array.from({ length: k }, () => randomBytes(random, length));
    const output = execFileSync(encoder, [k, n, length].map(String), {
      input: Buffer.concat(data),
      maxBuffer: 2 ** 24,
    });
    assert.deepEqual(
      Buffer.concat(new ErasureCode(k, n).encode(data)),
      output,
      `(${k}, ${n}), ${length} bytes`,
    );
  }
});
