import { type Hex, hexToBigInt, keccak256, numberToHex, stringToHex } from "viem";
import type { DeployParameters } from "../../keepers/src/chain/deploy.ts";
import { deployOn } from "../../keepers/src/chain/deploy.ts";
import { type Circuit, circuits, type Deployment } from "../../keepers/src/chain/deployment.ts";
import { packIndices } from "../../keepers/src/core/groth16/inputs.ts";
import type { SimulatedChain } from "../../keepers/src/roles/simulation/chain.ts";
import { publicKeyOf, signRound } from "../contracts/beacon/drand.ts";
import { createInstance, g1, g2, type Instance, r, type Words8 } from "../contracts/zk/trapdoor.ts";

/** Signals of each circuit, in the order of docs/storage-protocol.md, section 6. */
const signals: Record<Circuit, number> = { possession: 4, covering: 5, registration: 3 };

/** Keys of circuits whose trapdoor is known here: a proof is one scalar multiplication, and is made only for what is true. */
export const instances = Object.fromEntries(
  circuits.map((circuit, i) => [circuit, createInstance(signals[circuit], 900n + BigInt(i))]),
) as Record<Circuit, Instance>;

const drandSecret = hexToBigInt(keccak256(stringToHex("assay/coalitions/drand"))) >> 8n;

/** All contracts by the Ignition modules of public networks, on a drand chain of its own. */
export async function deployAll(chain: SimulatedChain, parameters: DeployParameters): Promise<Deployment> {
  await chain.synchronise();
  const keys = Object.fromEntries(
    circuits.map((circuit) => [circuit, Buffer.from(instances[circuit].key.slice(2), "hex")]),
  ) as unknown as Record<Circuit, Uint8Array>;
  const publicKey = publicKeyOf(drandSecret).map((word, i) => [`publicKey${i}`, word]);
  const genesis = BigInt(chain.now) - 1_000n;
  return await chain.during(() =>
    deployOn(chain.connection, {
      beacon: "DrandBeacon",
      keys,
      parameters: { ...parameters, DrandBeacon: { ...Object.fromEntries(publicKey), genesis } },
    }),
  );
}

const signatures = new Map<bigint, Hex>();

/** What drand publishes for a round. */
export function drandSignature(round: bigint): Hex {
  let signature = signatures.get(round);
  if (signature === undefined) {
    signature = signRound(drandSecret, round);
    signatures.set(round, signature);
  }
  return signature;
}

/** Scalars of A and B, the same for all proofs: only C depends on the statement. */
const [a, b] = [7n, 11n];
const [pointA, pointB] = [g1(a), g2(b)];

/** A proof of these inputs under a circuit's key. */
export function proofOf(circuit: Circuit, inputs: readonly bigint[]): Words8 {
  const { alpha, beta, gamma, delta, ic } = instances[circuit];
  const sum = ic.reduce((total, scalar, i) => (total + scalar * (i === 0 ? 1n : inputs[i - 1]!)) % r, 0n);
  const rest = (((a * b - alpha * beta - sum * gamma) % r) + r) % r;
  const [cx, cy] = g1((rest * inverse(delta)) % r);
  return [...pointA, ...pointB, cx, cy];
}

/** Indices of challenged cells as signals: 14 bits each in a bundle, 20 bits each in a cover, eight to a word there. */
export const packed = {
  bundle: (indices: readonly number[]) => packIndices(indices, 14, 16),
  cover: (indices: readonly number[]) => packIndices(indices, 20, 8),
};

/** Cell counts of a cover's bundles, as `answerCover` takes them. */
export function cellsWord(counts: readonly number[]): Hex {
  return `0x${counts.map((count) => numberToHex(count, { size: 2 }).slice(2)).join("")}`;
}

const inverses = new Map<bigint, bigint>();

function inverse(value: bigint): bigint {
  let found = inverses.get(value);
  if (found === undefined) {
    found = power(value, r - 2n);
    inverses.set(value, found);
  }
  return found;
}

function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, base % r];
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % r;
    square = (square * square) % r;
  }
  return result;
}
