import { decodeFunctionData, type Hex, hexToBytes, isAddressEqual } from "viem";
import { abis } from "../../chain/abi/index.ts";
import { type AssayEvent, addressOf, type ContractEvent } from "../../chain/contracts.ts";
import {
  addKeys,
  BadPointError,
  type BlsKey,
  signatureDomain,
  verifyBoth,
} from "../../core/attestation/bls.ts";
import { type DrawnCommittee, intervalsOf, maskOf, messageOf } from "../../core/attestation/statement.ts";
import { traceLength } from "../../core/exact/commitment.ts";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import { positionsIn } from "../validator/committees.ts";
import type { JobEvidence } from "./job-evidence.ts";

export type Said = "agrees" | "differs" | "signed" | "nothing";

/** A place in a committee, and what its member did. */
export type AuditedSeat = {
  readonly validator: bigint;
  /** Account of the member; undefined when it never enrolled. */
  readonly operator: string | undefined;
  /** Intervals of the trace that it was to compute again. */
  readonly intervals: readonly number[];
  /** agrees: with what the provider opened later. signed: what it signed was never opened. */
  readonly said: Said;
};

/** A committee that was drawn, checked again. */
export type AuditedAttempt = {
  readonly attempt: bigint;
  readonly seats: readonly AuditedSeat[];
  /** What became of it. */
  readonly outcome: "attested" | "failed" | "open";
  /** holds: the signature was verified here. unread: it was posted through another contract. none: nobody signed. */
  readonly signature: "holds" | "false" | "unread" | "none";
  /** Whether the seed is the one that the beacon gave for this request. */
  readonly isSeedRight: boolean;
  readonly transaction: Hex | undefined;
};

type CommitteeEvents = ContractEvent<"Committee">;
type Drawn = Extract<CommitteeEvents, { eventName: "CommitteeDrawn" }>;
type Signed = Extract<CommitteeEvents, { eventName: "RootSigned" }>;
type Revealed = Extract<CommitteeEvents, { eventName: "DigestsRevealed" }>;

/** Checks every committee of a job again: its seed, its members' signature, and what each said. */
export function auditAttempts(evidence: JobEvidence): AuditedAttempt[] {
  const { events } = evidence;
  const draws = events.filter(
    (event): event is Drawn => event.contract === "Committee" && event.eventName === "CommitteeDrawn",
  );
  return draws.map((drawn) => auditAttempt(evidence, drawn));
}

function auditAttempt(evidence: JobEvidence, drawn: Drawn): AuditedAttempt {
  const { attempt } = drawn.args;
  const draw = drawOf(evidence, drawn);
  const own = evidence.events.filter(
    (event): event is CommitteeEvents =>
      event.contract === "Committee" && (event.args as { attempt?: bigint }).attempt === attempt,
  );
  const signed = own.find((event): event is Signed => event.eventName === "RootSigned");
  const revealed = own.find((event): event is Revealed => event.eventName === "DigestsRevealed");
  const signers = positionsIn(signed?.args.signers ?? 0n);
  const differing = positionsIn(revealed?.args.differing ?? 0n);
  const saidBy = (position: number): Said => {
    if (!signers.includes(position)) return "nothing";
    // Until digests are revealed nobody can tell what a member signed.
    if (revealed === undefined) return "signed";
    return differing.includes(position) ? "differs" : "agrees";
  };
  const has = (name: CommitteeEvents["eventName"]) => own.some(({ eventName }) => eventName === name);
  return {
    attempt,
    seats: draw.members.map((validator, position) => ({
      validator,
      operator: evidence.attribution.operatorOf(validator),
      intervals: intervalsOf(draw, position),
      said: saidBy(position),
    })),
    outcome: has("CommitteeAttested") ? "attested" : has("AttemptFailed") ? "failed" : "open",
    signature: signed === undefined ? "none" : signatureOf(evidence, draw, signed),
    isSeedRight: isSeedRight(evidence, own, drawn),
    transaction: signed?.transactionHash,
  };
}

function drawOf({ history, record, state }: JobEvidence, { args }: Drawn): DrawnCommittee {
  const { steps, interval } = decodeOrder(record.training);
  return {
    chainId: BigInt(history.chainId),
    contract: addressOf(history.deployment, "Committee"),
    jobId: args.jobId,
    attempt: args.attempt,
    seed: args.seed,
    traceRoot: record.result!.traceRoot,
    intervals: traceLength(steps, interval) - 1,
    checks: state.checks,
    members: args.members,
  };
}

/** Adds the signers' own keys up and verifies the one signature of all of them. */
function signatureOf(
  { history, stamps }: JobEvidence,
  draw: DrawnCommittee,
  { args: { signers, root }, transactionHash }: Signed,
): AuditedAttempt["signature"] {
  const { to, input } = stamps.get(transactionHash)!;
  if (to === null || !isAddressEqual(to, draw.contract)) return "unread";
  const call = decodeFunctionData({ abi: abis.Committee, data: input });
  if (call.functionName !== "attest") return "unread";
  const [, statement] = call.args;
  const keys = positionsIn(signers).map((position) => keyOf(history.events, draw.members[position]));
  const isSame =
    statement.root === root && statement.signers === signers && (signers & ~statement.members) === 0n;
  if (!isSame || keys.includes(undefined) || maskOf(positionsIn(signers)) !== signers) return "false";
  try {
    const sum = addKeys(keys as BlsKey[]);
    const message = hexToBytes(messageOf(draw, statement.members, root));
    return verifyBoth(sum, signatureDomain, message, statement.signature) ? "holds" : "false";
  } catch (error) {
    if (error instanceof BadPointError) return "false";
    throw error;
  }
}

function keyOf(events: readonly AssayEvent[], validator: bigint | undefined): BlsKey | undefined {
  const enrolled = events.find(
    (event): event is Extract<AssayEvent, { eventName: "Enrolled" }> =>
      event.contract === "ValidatorSet" && event.eventName === "Enrolled" && event.args.id === validator,
  );
  return enrolled?.args.key;
}

function isSeedRight(
  { history }: JobEvidence,
  own: readonly CommitteeEvents[],
  { args: { seed } }: Drawn,
): boolean {
  // The last one: those before it came to nothing.
  const asked = own.findLast(
    (event): event is Extract<CommitteeEvents, { eventName: "CommitteeAsked" }> =>
      event.eventName === "CommitteeAsked",
  );
  return history.events.some(
    ({ contract, eventName, args }) =>
      contract === history.deployment.beacon &&
      eventName === "RandomnessReady" &&
      (args as { requestId: bigint }).requestId === asked?.args.requestId &&
      (args as { seed: Hex }).seed === seed,
  );
}
