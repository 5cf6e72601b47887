import { bytesToHex, type Hex, hexToBytes } from "viem";
import { witnessesHash } from "../../core/attestation/statement.ts";
import { BadInputError } from "../../core/errors.ts";
import { traceLength, witnessHash } from "../../core/exact/commitment.ts";
import type { LeafClaim } from "./claimed-run.ts";
import { type LeafOpening, openLeaf, traceTreeOf } from "./leaves.ts";
import type { TrainingClaim } from "./moves.ts";
import type { OwnRun } from "./own-run.ts";

/** An interval that the own run does not bear out, and what in it differs. */
export type WrongInterval = { readonly interval: number; readonly differs: "state" | "witnesses" };

export type FindIntervalOptions = {
  /** The first interval that is looked at: its first leaf must be known to be right. */
  readonly first?: number;
  /** The interval after the last. */
  readonly end?: number;
  /** Salt of an interval, once the provider has opened it. */
  readonly salt?: (interval: number) => Hex | undefined;
  /** keccak256 of an interval's witness commitments, once it is known what the trace binds there. */
  readonly opened?: (interval: number) => Hex | undefined;
  readonly onInterval?: (interval: number) => void;
};

/**
 * Finds the first interval whose two leaves do not belong together: with the first the own run agrees, with the second it
 * does not. State roots are compared; the witnesses too where their salt is known, or what was opened of them, because their
 * salted hash alone says nothing. Behind a wrong leaf there is nothing to find: the own run leads elsewhere.
 *
 * @throws BadInputError when these are not the leaves of the order's trace, or the run begins at another state
 */
export async function findWrongInterval(
  own: OwnRun,
  leaves: readonly LeafClaim[],
  { first = 0, end = leaves.length - 1, salt, opened, onInterval }: FindIntervalOptions = {},
): Promise<WrongInterval | undefined> {
  const { steps, interval: length } = own.order;
  const expected = traceLength(steps, length);
  if (leaves.length !== expected) {
    throw new BadInputError(`The trace has ${leaves.length} leaves, not ${expected}.`);
  }
  const [before] = await own.stateRoots([first * length]);
  if (before !== leaves[first]?.stateRoot) {
    throw new BadInputError(`The trace is another one at leaf ${first} already.`);
  }
  for (let interval = first; interval < end; interval++) {
    const claimed = leaves[interval + 1]!;
    const [root] = await own.stateRoots([leafStep(own, interval + 1)]);
    if (root !== claimed.stateRoot) return { interval, differs: "state" };
    const [known, seen] = [salt?.(interval), opened?.(interval)];
    const isWrong =
      (known !== undefined && (await hashOf(own, interval, known)) !== claimed.h) ||
      (seen !== undefined && witnessesHash(await own.witnesses(interval)) !== seen);
    if (isWrong) return { interval, differs: "witnesses" };
    onInterval?.(interval);
  }
  return undefined;
}

/** What opens a dispute, as the game takes it. */
export type OpeningMove =
  | {
      readonly kind: "challenge";
      readonly interval: number;
      readonly before: LeafOpening;
      readonly next: LeafOpening;
    }
  | { readonly kind: "challengeTrace" };

/**
 * The move that opens a dispute. Leaves that are not those of the committed trace are as good as none: the first wrong one is
 * searched for on chain. That needs a wrong result: then there is one.
 *
 * @returns undefined when every interval that is looked at is right
 */
export async function openingMove(
  own: OwnRun,
  { traceRoot }: Pick<TrainingClaim, "traceRoot">,
  leaves: readonly LeafClaim[] | undefined,
  options?: FindIntervalOptions,
): Promise<OpeningMove | undefined> {
  if (leaves === undefined || !arePublished(own, traceRoot, leaves)) return { kind: "challengeTrace" };
  const wrong = await findWrongInterval(own, leaves, options);
  return wrong && challengeOf(leaves, wrong.interval);
}

/** The challenge of an interval whose leaves are known. */
export function challengeOf(
  leaves: readonly LeafClaim[],
  interval: number,
): Extract<OpeningMove, { kind: "challenge" }> {
  const [before, next] = [openLeaf(leaves, interval), openLeaf(leaves, interval + 1)];
  return { kind: "challenge", interval, before, next };
}

/** Whether leaves are those that were committed to. */
export function arePublished(
  { order }: Pick<OwnRun, "order">,
  traceRoot: Hex,
  leaves: readonly LeafClaim[],
): boolean {
  if (leaves.length !== traceLength(order.steps, order.interval)) return false;
  return bytesToHex(traceTreeOf(leaves).root) === traceRoot;
}

/** Steps done at a leaf. */
function leafStep({ order: { steps, interval } }: OwnRun, leaf: number): number {
  return Math.min(leaf * interval, steps);
}

/** h of an interval under the provider's salt. */
async function hashOf(own: OwnRun, interval: number, salt: Hex): Promise<Hex> {
  const witnesses = await own.witnesses(interval);
  return bytesToHex(
    witnessHash(
      hexToBytes(salt),
      witnesses.map((witness) => hexToBytes(witness)),
    ),
  );
}
