import { readFile } from "node:fs/promises";
import { keccak256 } from "viem";
import { circuitArtifacts } from "../../../circuits/setup/circuits.ts";
import { setupCircuits } from "../../../circuits/setup/setup.ts";
import { type Circuit, circuits, type Deployment } from "../chain/deployment.ts";
import { isLocalChain } from "../chain/local-chains.ts";
import type { CircuitFiles } from "../storage/prover/messages.ts";
import type { CommandContext } from "./context.ts";
import { ConfigurationError } from "./errors.ts";

/**
 * What proofs are made with, from a folder (as the ceremony writes it) or, on local chains, the development keys, made
 * when they are missing.
 * @throws ConfigurationError when there are none, or the chain verifies proofs with other keys
 */
export async function openCircuits(
  context: CommandContext,
  { chainId, keyHashes }: Deployment,
  folder: string | undefined,
): Promise<Record<Circuit, CircuitFiles>> {
  const base = await circuitsFolder(context, chainId, folder);
  const files: Partial<Record<Circuit, CircuitFiles>> = {};
  for (const circuit of circuits) {
    const { wasm, zkey, verifyingKeyBytes } = circuitArtifacts(circuit, base);
    if (keccak256(await readKey(verifyingKeyBytes)) !== keyHashes[circuit]) {
      throw new ConfigurationError(`this network verifies ${circuit} proofs with another key`, {
        next: "Get the proving keys that belong to the deployment and name their folder with --circuits.",
      });
    }
    files[circuit] = { wasm, zkey };
  }
  return files as Record<Circuit, CircuitFiles>;
}

/** The folder of circuits for a chain; undefined means the built-in one. */
export async function circuitsFolder(
  context: CommandContext,
  chainId: number,
  folder: string | undefined,
): Promise<string | undefined> {
  if (folder !== undefined) return context.path(folder);
  if (isLocalChain(chainId)) {
    await setupCircuits({ onProgress: (line) => context.output.note(line) });
    return undefined;
  }
  throw new ConfigurationError(`chain ${chainId} needs production keys`, {
    next: "Name their folder with --circuits; docs/ceremony.md says how they are made.",
  });
}

/** Bytes of a circuit's verifying key. */
export async function readKey(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    throw new ConfigurationError(`${path} cannot be read`, {
      cause,
      next: "Name a folder with all three circuits.",
    });
  }
}
