import { execFile, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { wtns } from "snarkjs";
import type { CircuitInput } from "../../keepers/src/core/groth16/inputs.ts";
import type { SnarkjsProof } from "../../keepers/src/core/groth16/snarkjs.ts";
import type { CircuitFiles } from "../../keepers/src/storage/prover/messages.ts";

/** The prover's Go module: it carries the library itself, built for the common platforms. */
export const rapidsnarkVersion = "v0.0.15";
const modules = `module rapidsnark-peer

go 1.21

require github.com/iden3/go-rapidsnark/prover ${rapidsnarkVersion}
`;

export type RapidsnarkProving = { seconds: number; peakMemory: number; proof: SnarkjsProof };
export type Rapidsnark = {
  /** Witness and proof, as snarkjs' fullProve: the witness by snarkjs' calculator, the proof by rapidsnark on all cores. */
  prove(files: CircuitFiles, input: CircuitInput): Promise<RapidsnarkProving>;
  [Symbol.dispose](): void;
};

/** Builds the rapidsnark peer, or says why it cannot be built here. */
export function buildRapidsnark(): Rapidsnark | { missing: string } {
  const directory = mkdtempSync(join(tmpdir(), "assay-rapidsnark-"));
  const dispose = (): void => rmSync(directory, { recursive: true, force: true });
  writeFileSync(join(directory, "go.mod"), modules);
  copyFileSync(fileURLToPath(new URL("./rapidsnark.go", import.meta.url)), join(directory, "main.go"));
  const build = spawnSync("go", ["build", "-mod=mod", "-o", "prove", "."], {
    cwd: directory,
    encoding: "utf8",
  });
  if (build.status !== 0) {
    dispose();
    return { missing: `needs Go, a C compiler and module github.com/iden3/go-rapidsnark: ${build.stderr}` };
  }
  return {
    async prove(files, input) {
      const witness = join(directory, "witness.wtns");
      const start = performance.now();
      await wtns.calculate(input, files.wasm, witness);
      const { stdout } = await promisify(execFile)(join(directory, "prove"), [files.zkey, witness]);
      const seconds = (performance.now() - start) / 1000;
      const [kibibytes, proof] = stdout.split("\n", 2) as [string, string];
      return { seconds, peakMemory: Number(kibibytes) * 1024, proof: JSON.parse(proof) as SnarkjsProof };
    },
    [Symbol.dispose]: dispose,
  };
}
