import { setPriority } from "node:os";
import { groth16 } from "snarkjs";
import type { CircuitInput } from "../../keepers/src/core/groth16/inputs.ts";
import type { CircuitFiles } from "../../keepers/src/storage/prover/messages.ts";

type Request = { files: CircuitFiles; input: CircuitInput; singleThread: boolean };

// As the product's prover does, so that other load weighs on both alike.
setPriority(10);

process.once("message", ({ files, input, singleThread }: Request) => {
  const start = performance.now();
  void groth16.fullProve(input, files.wasm, files.zkey, undefined, undefined, { singleThread }).then(() => {
    const seconds = (performance.now() - start) / 1000;
    process.send?.({ seconds, peakMemory: process.resourceUsage().maxRSS * 1024 }, () => process.exit());
  });
});
