import { type Address, encodeAbiParameters, type Hex, keccak256 } from "viem";
import { BadInputError } from "../errors.ts";
import { scalarField } from "../groth16/field.ts";
import { challengesPerProof, rootsPerCover } from "../groth16/inputs.ts";

/** Cells of a bundle's tree; an index in a cover is bundle · 16384 + cell. */
const cellsPerBundle = 16384;

/** Epoch of a block timestamp; both in seconds. Throws BadInputError before the genesis. */
export function epochAt(timestamp: bigint, genesis: bigint, epochLength: bigint): bigint {
  if (epochLength <= 0n) throw new BadInputError(`an epoch cannot last ${epochLength} seconds`);
  if (timestamp < genesis)
    throw new BadInputError(`${timestamp} lies before the first epoch, which begins at ${genesis}`);
  return (timestamp - genesis) / epochLength;
}

/** What an audit's evaluation point binds a proof to (storage protocol, section 6). */
export type AuditContext = {
  seed: Hex;
  /** `bundleId` of a bundle, `coverId` of a cover. */
  duty: Hex;
  /** Poseidon root of the bundle, or the covering root. */
  root: bigint;
  operator: Address;
  epoch: bigint;
  chainId: bigint;
  /** The contract that judges it: StorageAudit, or BundleRegistry for a bundle that is to be placed. */
  auditContract: Address;
};

const contextTypes = [
  { type: "bytes32" },
  { type: "bytes32" },
  { type: "uint256" },
  { type: "address" },
  { type: "uint256" },
  { type: "uint256" },
  { type: "address" },
] as const;
const drawTypes = [
  { type: "bytes32" },
  { type: "bytes32" },
  { type: "address" },
  { type: "uint256" },
] as const;
const registrationTypes = [{ type: "uint256" }, { type: "uint256[64]" }] as const;

/** `rho` of an audit. */
export function auditPoint({
  seed,
  duty,
  root,
  operator,
  epoch,
  chainId,
  auditContract,
}: AuditContext): bigint {
  const context = [seed, duty, root, operator, epoch, chainId, auditContract] as const;
  return BigInt(keccak256(encodeAbiParameters(contextTypes, context))) % scalarField;
}

/** Who is asked, with which seed. */
export type ChallengeParameters = { seed: Hex; duty: Hex; operator: Address };

function draws({ seed, duty, operator }: ChallengeParameters): bigint[] {
  return Array.from({ length: challengesPerProof }, (_, j) =>
    BigInt(keccak256(encodeAbiParameters(drawTypes, [seed, duty, operator, BigInt(j)]))),
  );
}

/** The sixteen challenged cells of a bundle, in the order of j; one may be asked for twice. */
export function bundleIndices(parameters: ChallengeParameters, cells: number): number[] {
  requireCells(cells);
  return draws(parameters).map((draw) => Number(draw % BigInt(cells)));
}

/**
 * The sixteen challenged cells of a cover, one out of each sixteenth of all its cells: `bundle · 16384 + cell`. Every cell is
 * as likely to be asked for as any other, however large its bundle is.
 *
 * @param cells cell count of each bundle, 1 to 64 of them
 */
export function coverIndices(parameters: ChallengeParameters, cells: readonly number[]): number[] {
  if (cells.length < 1 || cells.length > rootsPerCover) {
    throw new BadInputError(`a cover has 1 to ${rootsPerCover} bundles, not ${cells.length}`);
  }
  cells.forEach(requireCells);
  const total = cells.reduce((sum, count) => sum + count, 0);
  return draws(parameters).map((draw, j) => {
    const from = Math.floor((j * total) / challengesPerProof);
    const to = Math.max(from + 1, Math.floor(((j + 1) * total) / challengesPerProof));
    let cell = from + Number(draw % BigInt(to - from));
    let bundle = 0;
    while (cell >= cells[bundle]!) cell -= cells[bundle++]!;
    return bundle * cellsPerBundle + cell;
  });
}

/** `rho` of a cover's registration, over its at most 64 bundle roots; unused ones are 0. */
export function registrationPoint(coveringRoot: bigint, roots: readonly bigint[]): bigint {
  if (roots.length < 1 || roots.length > rootsPerCover) {
    throw new BadInputError(`a cover has 1 to ${rootsPerCover} bundles, not ${roots.length}`);
  }
  const padded = [...roots, ...new Array<bigint>(rootsPerCover - roots.length).fill(0n)];
  return (
    BigInt(keccak256(encodeAbiParameters(registrationTypes, [coveringRoot, padded as never]))) % scalarField
  );
}

function requireCells(cells: number): void {
  if (!Number.isInteger(cells) || cells < 1 || cells > cellsPerBundle) {
    throw new BadInputError(`a bundle has 1 to ${cellsPerBundle} cells, not ${cells}`);
  }
}
