import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export type IsalParameters = { k: number; n: number; length: number; seconds: number };
export type IsalSeconds = { ssse3: number; full: number };
export type Isal = { measure(parameters: IsalParameters): IsalSeconds; [Symbol.dispose](): void };

/** Builds the ISA-L peer, or says why it cannot be built here. */
export function buildIsal(): Isal | { missing: string } {
  const directory = mkdtempSync(join(tmpdir(), "assay-isal-"));
  const program = join(directory, "isal");
  const source = fileURLToPath(new URL("./isal.c", import.meta.url));
  const build = spawnSync("cc", ["-O3", source, "-o", program, "-lisal"], { encoding: "utf8" });
  const dispose = (): void => rmSync(directory, { recursive: true, force: true });
  if (build.status !== 0) {
    dispose();
    return { missing: "needs a C compiler and libisal with its ec_encode_data_sse (x86-64)" };
  }
  return {
    measure({ k, n, length, seconds }) {
      const output = execFileSync(program, [k, n, length, seconds].map(String), { encoding: "utf8" });
      const [ssse3, full] = output.trim().split("\n").map(Number);
      return { ssse3: ssse3!, full: full! };
    },
    [Symbol.dispose]: dispose,
  };
}
