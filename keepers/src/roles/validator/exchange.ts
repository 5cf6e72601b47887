import type { Address, Hex } from "viem";
import type { G1Words } from "../../core/attestation/bls.ts";
import { UnsoundStatementError } from "../../core/attestation/statement.ts";
import { AssayError, exitCode } from "../../core/errors.ts";
import { type RefusalCode, RefusalError } from "../../storage/transport/errors.ts";

/** A draw, by its number. */
export type DrawName = { readonly jobId: bigint; readonly attempt: bigint };

/** What a member says of its intervals, in order. */
export type MemberDigests = { readonly position: number; readonly digests: readonly Hex[] };

/** A statement that a member is to sign: the digests of all who will. */
export type StatementRequest = DrawName & { readonly members: readonly MemberDigests[] };

/** What a member answers the others of its committee. */
export interface MemberDesk {
  /**
   * This member's digests.
   * @param asker peer id of who asks, as it stands on chain; only members are told
   * @throws NotReadyError
   */
  digests(draw: DrawName, asker: Hex): Promise<readonly Hex[]>;
  /**
   * This member's signature, after a look at all of the statement.
   * @param asker as of {@link digests}; only members are signed for
   * @throws NotReadyError, UnsoundStatementError
   */
  sign(statement: StatementRequest, asker: Hex): Promise<G1Words>;
}

/** How members of committees reach each other. Everything that comes through it is checked by who gets it. */
export interface Exchange {
  /** Where the others find this member: peer id as multihash bytes, multiaddr. */
  readonly identity: { readonly peerId: Uint8Array; readonly endpoint: string };
  /** Lets others ask this member; once. */
  serve(desk: MemberDesk): Promise<void>;
  /** @throws whatever keeps the member from answering */
  digests(operator: Address, draw: DrawName, signal?: AbortSignal): Promise<readonly Hex[]>;
  /** @throws whatever keeps the member from answering */
  sign(operator: Address, statement: StatementRequest, signal?: AbortSignal): Promise<G1Words>;
  close(): Promise<void>;
}

/** A member has nothing to say of a draw, or not yet, or not to this asker. */
export class NotReadyError extends AssayError {
  override readonly name: string = "NotReadyError";

  constructor(reason: string) {
    super(reason, { next: "Ask again later.", exitCode: exitCode.unavailable });
  }
}

/** What a member answers of its own accord; it is busy for whoever asks when others flood it. */
const answered: readonly RefusalCode[] = ["bad-request", "not-found", "refused"];

/** Whether a member has said no itself: it has not where it is busy, has failed, or cannot be reached. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof RefusalError) return answered.includes(error.code);
  return error instanceof NotReadyError || error instanceof UnsoundStatementError;
}
