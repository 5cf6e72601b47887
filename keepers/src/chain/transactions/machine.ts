import type { Hex } from "viem";

/**
 * The states and moves of a transaction queue, without I/O: what is on record and what is seen go in, one move comes out.
 * docs/transactions.md holds the same as a table; model checks walk through both.
 */

/** What is on record of an intent. */
export type IntentRecord = {
  readonly nonce: number;
  /** `pending`: not known to be in the chain. `mined` and `failed` are what callers were told. */
  readonly status: "pending" | "mined" | "failed";
  /** The attempt that was seen in the chain, and the hash of its block; undefined while pending. */
  readonly hash: Hex | undefined;
  readonly blockHash: Hex | undefined;
  /** Nodes have refused it: what was signed is to be made void. */
  readonly isUnwanted: boolean;
  /** It carries nothing out, and only uses a nonce up. */
  readonly isFiller: boolean;
  /** Newest first. */
  readonly attempts: readonly AttemptRecord[];
};

export type AttemptRecord = {
  readonly hash: Hex;
  readonly nonce: number;
  /** It uses the nonce up instead of carrying the intent out. */
  readonly cancels: boolean;
  /** This process has handed it to an endpoint, and has not seen it fall out of the chain since. */
  readonly isSent: boolean;
  /** It has waited for so long that a higher fee is due. */
  readonly isStuck: boolean;
};

/** An attempt in a block of the canonical chain, as a quorum says. */
export type Inclusion = {
  readonly hash: Hex;
  readonly blockHash: Hex;
  readonly outcome: "succeeded" | "reverted";
  /** Blocks on top, its own included. */
  readonly depth: bigint;
};

/** What is seen of the chain. What a quorum does not agree on is not seen. */
export type Sight = {
  /** Transactions of the account up to the head: the next nonce. */
  readonly counted: number;
  readonly inclusion: Inclusion | undefined;
  /**
   * Who has used the intent's nonce in a final block: an attempt whose receipt is still missing, or a transaction that the
   * account's key has signed elsewhere; undefined as long as nobody is known to.
   */
  readonly user: "own" | "other" | undefined;
};

export type Depths = { readonly confirmations: number; readonly finality: number };

export type Move =
  | { readonly kind: "wait" }
  /** Tell callers; `isFinal`: and look at it no more. */
  | { readonly kind: "settle"; readonly status: "mined" | "failed"; readonly isFinal: boolean }
  /** Its block is gone: pending again, and sent again. */
  | { readonly kind: "reopen" }
  /** Find the transaction that has used the nonce. */
  | { readonly kind: "locate" }
  /** Every transaction signed for it is void: it gets a nonce of its own again. */
  | { readonly kind: "renumber" }
  /** As `renumber`, for what only had to use the nonce up. */
  | { readonly kind: "drop" }
  | { readonly kind: "sign"; readonly purpose: Purpose; readonly replaces: boolean }
  | { readonly kind: "broadcast"; readonly hash: Hex };

/** `either`: carry it out, or cancel it when a quorum says that it would fail by now. */
export type Purpose = "carryOut" | "cancel" | "either";

const wait: Move = { kind: "wait" };

/** What to do about one intent that is not final. */
export function nextMove(intent: IntentRecord, sight: Sight, depths: Depths): Move {
  if (sight.inclusion !== undefined) return included(intent, sight.inclusion, depths);
  if (intent.status !== "pending") return { kind: "reopen" };
  if (intent.nonce < sight.counted) return usedUp(intent, sight);
  return unused(intent, sight);
}

function included(intent: IntentRecord, inclusion: Inclusion, { confirmations, finality }: Depths): Move {
  const { hash, blockHash, outcome, depth } = inclusion;
  const isOnRecord = intent.hash === hash && intent.blockHash === blockHash;
  // It has moved: callers hear of it once it is as deep as they asked for.
  if (intent.status !== "pending" && !isOnRecord) return { kind: "reopen" };
  const isFinal = depth >= BigInt(finality);
  const isTold = intent.status !== "pending";
  if (depth < BigInt(confirmations) || (isTold && !isFinal)) return wait;
  const cancels = intent.attempts.some((each) => each.hash === hash && each.cancels);
  return { kind: "settle", status: outcome === "succeeded" && !cancels ? "mined" : "failed", isFinal };
}

/** The nonce is used, and none of the attempts is seen: a missing receipt proves nothing, a transaction in a block does. */
function usedUp({ isFiller }: IntentRecord, { user }: Sight): Move {
  if (user === undefined) return { kind: "locate" };
  if (user === "own") return wait;
  return { kind: isFiller ? "drop" : "renumber" };
}

function unused(intent: IntentRecord, { counted }: Sight): Move {
  const last = intent.attempts.find(({ nonce }) => nonce === intent.nonce);
  // Killed between taking the nonce and signing.
  if (last === undefined) return { kind: "sign", purpose: "carryOut", replaces: false };
  if (intent.isUnwanted && !last.cancels) return { kind: "sign", purpose: "cancel", replaces: true };
  if (!last.isSent) return { kind: "broadcast", hash: last.hash };
  const isNext = intent.nonce === counted;
  if (!isNext || !last.isStuck) return wait;
  return { kind: "sign", purpose: intent.isUnwanted ? "cancel" : "either", replaces: true };
}

/** When an attempt was signed, by the clock and by the head. */
export type AttemptAge = Pick<AttemptRecord, "nonce" | "cancels"> & {
  /** Milliseconds of the queue's clock. */
  readonly madeAt: number;
  readonly madeAtBlock: bigint;
};

/** How long an attempt may wait: whichever is over first. */
export type Patience = { readonly milliseconds: number; readonly blocks: number };
export const usualPatience: Patience = { milliseconds: 60_000, blocks: 12 };

/**
 * Whether an attempt has waited for so long that a higher fee is due. What the chain asks for changes with its blocks alone: while
 * none comes, an attempt is replaced once by the clock, for what has changed before, and its successor waits for a block. Else a
 * chain that stands still would have the fee raised all the time, to be paid whole in its first block. Another head is another
 * block wherever it is: one that was once said to be far ahead keeps nothing waiting.
 *
 * @param all attempts for the intent, this one among them
 * @param now milliseconds of the queue's clock, and the head
 */
export function isStuck(
  attempt: AttemptAge,
  all: readonly AttemptAge[],
  now: { readonly time: number; readonly head: bigint },
  patience: Patience = usualPatience,
): boolean {
  const { nonce, cancels, madeAt, madeAtBlock } = attempt;
  if (now.head - madeAtBlock >= BigInt(patience.blocks)) return true;
  if (now.time - madeAt < patience.milliseconds) return false;
  const isLike = (each: AttemptAge) => each.nonce === nonce && each.cancels === cancels;
  const atHead = all.filter((each) => isLike(each) && each.madeAtBlock === now.head);
  return madeAtBlock !== now.head || atHead.length < 2;
}

/** Nonces that one wrong answer may leave unused, and fillers use up; above it, intents move down instead. */
export const mostFillers = 64;

export type GapMove<Key> =
  | { readonly kind: "none" }
  | { readonly kind: "fill"; readonly nonces: readonly number[] }
  /** Nonces that the account will not get to: each intent and the nonce it gets instead. */
  | { readonly kind: "moveDown"; readonly nonces: readonly (readonly [Key, number])[] };

/**
 * What to do about nonces below the lowest pending one that nobody has used.
 *
 * @param pending intents that are not in the chain, lowest nonce first
 * @param counted the next nonce of the account
 */
export function gapMove<Key>(
  pending: readonly { readonly key: Key; readonly nonce: number }[],
  counted: number,
): GapMove<Key> {
  const lowest = pending[0];
  if (lowest === undefined || lowest.nonce <= counted) return { kind: "none" };
  const missing = lowest.nonce - counted;
  if (missing > mostFillers) {
    return { kind: "moveDown", nonces: pending.map(({ key }, i) => [key, counted + i] as const) };
  }
  return { kind: "fill", nonces: Array.from({ length: missing }, (_, i) => counted + i) };
}

/**
 * The nonce of a new intent: the lowest that the chain has not used and no intent that is not final holds.
 *
 * @param counted transactions up to the head
 * @param pooled the same with those that wait in the nodes' pools; other programs of the account may have sent them
 */
export function freeNonce(counted: number, pooled: number, held: readonly number[]): number {
  const taken = new Set(held);
  // A count of the pool far above the chain's is a mistake, and would leave a gap.
  let nonce = pooled > counted && pooled - counted - taken.size <= mostFillers ? pooled : counted;
  while (taken.has(nonce)) nonce++;
  return nonce;
}
