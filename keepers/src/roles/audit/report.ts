import type { Hex } from "viem";
import type { Claim, Tally } from "./claims.ts";
import type { Picture } from "./pictures/types.ts";

/** What can be audited. */
export const subjects = ["dataset", "job", "operator", "certificate"] as const;
export type Subject = (typeof subjects)[number];

/** What an audit found, ready to be printed, stored as JSON, or shown. */
export type AuditReport = {
  readonly subject: Subject;
  readonly id: string;
  readonly title: string;
  /** What became of it, in a sentence. */
  readonly lead: string;
  readonly chain: {
    readonly chainId: number;
    readonly block: bigint;
    readonly hash: Hex;
    readonly timestamp: bigint;
  };
  /** Address of the index that was asked, without what may be a key. */
  readonly index: string;
  readonly tally: Tally;
  /** Whether nothing is wrong. */
  readonly ok: boolean;
  readonly claims: readonly Claim[];
  /** From what was found here, never from what the index told. */
  readonly pictures: readonly Picture[];
};
