import type { Address, Hex } from "viem";
import { bytesToHex } from "viem";
import { openCell, openCoveredCell } from "../../core/audit/answer.ts";
import { type AuditContext, auditPoint, bundleIndices, coverIndices } from "../../core/audit/challenge.ts";
import { freshProofEpoch } from "../../core/audit/fresh.ts";
import { compressProof } from "../../core/groth16/compress.ts";
import { type OpenedCell, openingInput } from "../../core/groth16/inputs.ts";
import type { Proof } from "../../core/groth16/types.ts";
import { coverTree, toDigest } from "../../core/merkle/quaternary-tree.ts";
import type { ProveOptions, Prover } from "../../storage/prover/prover.ts";
import type { PossessionAnswer, ProvenCell } from "../../storage/transport/shard-service.ts";
import type { ShelvedBundle } from "./shelf.ts";
import type { Vault } from "./vault.ts";

export type PossessionParts = {
  vault: Vault;
  prover: Prover;
  operator: Address;
  chainId: number;
  /** The StorageAudit contract. */
  auditContract: Address;
  /** The BundleRegistry contract. */
  bundleRegistry: Address;
};

/** Under which seed something is proven, and to which contract. */
type Judged = Pick<AuditContext, "seed" | "epoch" | "auditContract">;

/** An answer to an audit, ready to be sent. */
export type AuditProof = { evaluation: bigint; proof: Proof };

const cellsPerBundle = 16384;

/** Proves that bundles are here: to the audit contract, to clients, cell by cell to whoever asks. */
export class Possession {
  readonly #parts: PossessionParts;

  constructor(parts: PossessionParts) {
    this.#parts = parts;
  }

  /** Answers an epoch's seed for a single bundle. */
  proveBundle(bundle: ShelvedBundle, seed: Hex, epoch: bigint, signal?: AbortSignal): Promise<AuditProof> {
    return this.#proveBundle(bundle, { seed, epoch, auditContract: this.#parts.auditContract }, signal);
  }

  /** Shows the registry under an epoch's seed that a bundle without a holder is here. */
  provePlacing(bundle: ShelvedBundle, seed: Hex, epoch: bigint, signal?: AbortSignal): Promise<AuditProof> {
    return this.#proveBundle(bundle, { seed, epoch, auditContract: this.#parts.bundleRegistry }, signal);
  }

  async #proveBundle(
    bundle: ShelvedBundle,
    { seed, epoch, auditContract }: Judged,
    signal?: AbortSignal,
    lane: ProveOptions["lane"] = "duty",
  ): Promise<AuditProof> {
    const { vault, operator } = this.#parts;
    const duty = bundle.bundleId;
    const root = BigInt(bundle.poseidonRoot);
    const indices = bundleIndices({ seed, duty, operator }, bundle.cells);
    const { possession } = await vault.commitment(bundle);
    const cells = await vault.cells(bundle, indices);
    const opened = cells.map((cell, j) => openCell(cell, indices[j]!, possession));
    return this.#prove("possession", { seed, duty, root, epoch, auditContract }, opened, { signal, lane });
  }

  /** Answers an epoch's seed for all bundles of a cover, in the order in which they were registered. */
  async proveCover(
    coverId: Hex,
    bundles: readonly ShelvedBundle[],
    seed: Hex,
    epoch: bigint,
    signal?: AbortSignal,
  ): Promise<AuditProof> {
    const { vault, operator } = this.#parts;
    const cover = coverTree(bundles.map(({ poseidonRoot }) => toDigest(BigInt(poseidonRoot))));
    const root = BigInt(bytesToHex(cover.root));
    const indices = coverIndices(
      { seed, duty: coverId, operator },
      bundles.map(({ cells }) => cells),
    );
    const opened: OpenedCell[] = [];
    for (const index of indices) {
      const position = Math.floor(index / cellsPerBundle);
      const bundle = bundles[position]!;
      const cell = index % cellsPerBundle;
      const { possession } = await vault.commitment(bundle);
      const [bytes] = await vault.cells(bundle, [cell]);
      opened.push(openCoveredCell(bytes!, cell, possession, position, cover));
    }
    const { auditContract } = this.#parts;
    return this.#prove("covering", { seed, duty: coverId, root, epoch, auditContract }, opened, { signal });
  }

  /** Answers a client's own seed: the same circuit, in a context that no audit has. */
  async proveForClient(
    bundle: ShelvedBundle,
    seed: Uint8Array,
    signal?: AbortSignal,
  ): Promise<PossessionAnswer> {
    const asked = bytesToHex(seed);
    const { auditContract } = this.#parts;
    const judged = { seed: asked, epoch: freshProofEpoch, auditContract };
    const { proof, evaluation } = await this.#proveBundle(bundle, judged, signal, "client");
    return { proof: compressProof(proof), evaluation };
  }

  /** Cells with their siblings up to the transport root. */
  async openCells(bundle: ShelvedBundle, indices: readonly number[]): Promise<ProvenCell[]> {
    const { transport } = await this.#parts.vault.commitment(bundle);
    const cells = await this.#parts.vault.cells(bundle, indices);
    return cells.map((cell, i) => ({ index: indices[i]!, cell, siblings: transport.proof(indices[i]!) }));
  }

  async #prove(
    circuit: "possession" | "covering",
    context: Omit<AuditContext, "operator" | "chainId">,
    cells: OpenedCell[],
    options: ProveOptions,
  ): Promise<AuditProof> {
    const { prover, operator, chainId } = this.#parts;
    const rho = auditPoint({ ...context, operator, chainId: BigInt(chainId) });
    const input = openingInput(circuit, { root: context.root, rho, cells });
    const { proof, publicSignals } = await prover.prove(circuit, input, options);
    return { proof, evaluation: publicSignals[0]! };
  }
}
