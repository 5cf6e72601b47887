import { setImmediate as immediate } from "node:timers/promises";
import { bytesToHex, hexToBytes } from "viem";
import {
  addKeys,
  addSignatures,
  type BlsKey,
  type G1Words,
  signatureDomain,
  verify,
} from "../../core/attestation/bls.ts";
import { type DrawnCommittee, maskOf, messageOf, statementTree } from "../../core/attestation/statement.ts";
import type { JobContext } from "../jobs/duty.ts";
import { tryCall } from "../storage-node/context.ts";
import type { CommitteeLedger } from "./committee-ledger.ts";
import type { Committees } from "./committees.ts";
import { type Desk, leavesOf } from "./desk.ts";
import { type Exchange, isRefusal, type MemberDigests } from "./exchange.ts";
import type { Gathered, Gathering, Stage } from "./gathering.ts";
import type { SwornBook } from "./sworn-book.ts";

/** Milliseconds that members may take to answer when all of them are asked. */
const patience = 20_000;
/** Milliseconds after which a look asks nobody anew: members that stall one after the other would else hold it up for long. */
const askingFor = 60_000;

export type CollectorParts = JobContext & {
  readonly all: Committees;
  readonly committees: CommitteeLedger;
  readonly exchange: Exchange;
  readonly desk: Desk;
  readonly gathering: Gathering;
  readonly sworn: SwornBook;
};

type Signed = { readonly member: MemberDigests; readonly signature: G1Words; readonly key: BlsKey };

/** Positions of members that did not sign. */
type Unsigned = {
  readonly all: readonly number[];
  /** Those of them that have said that they do not, or have sent something else. */
  readonly refused: readonly number[];
  /** Those of them that were busy, have failed, or were not reached in time. */
  readonly away: readonly number[];
};

/** Collects digests and signatures of the members of a draw, and posts what they sign. */
export class Collector {
  readonly #parts: CollectorParts;

  constructor(parts: CollectorParts) {
    this.#parts = parts;
  }

  /**
   * Posts a root that at least `least` members sign: all of them, as long as there is time; then all that are there, but for
   * those that refuse what all are to sign; at last any that do. Who has refused is remembered from one call to the next: else
   * a few that refuse one after the other would keep the others from ever signing the same.
   */
  async collect(
    draw: DrawnCommittee,
    own: number,
    { stage, least }: { readonly stage: Stage; readonly least: number },
    signal: AbortSignal,
  ): Promise<boolean> {
    const gathered = this.#parts.gathering.of(draw);
    await this.#gather(draw, own, gathered, signal);
    const members = gathered.members();
    const size = draw.members.length;
    if (stage === "enough") return this.#shrink(draw, own, members, { gathered, least }, signal);
    if (members.length < (stage === "all" ? size : least)) return false;
    const unsigned = await this.#try(draw, own, members, signal);
    if (unsigned === undefined) return true;
    // What the chain did not take is left to the next time.
    if (unsigned.all.length === 0) return false;
    if (members.length === size) {
      // Who can reach somebody that this keeper cannot has a reason not to sign without it.
      for (const position of unsigned.refused) gathered.refused.add(position);
      for (const position of unsigned.away) gathered.miss(position);
    }
    const rest = members.filter(({ position }) => !gathered.isExcused(position));
    if (stage === "all" || rest.length === members.length || rest.length < least) return false;
    return (await this.#try(draw, own, rest, signal)) === undefined;
  }

  /**
   * Leaves out who does not sign, until all that are left do, or too few are left: then all are asked anew the next time. When
   * its time is over, the next look goes on with those that are left.
   */
  async #shrink(
    draw: DrawnCommittee,
    own: number,
    members: readonly MemberDigests[],
    { gathered: { leftOut }, least }: { readonly gathered: Gathered; readonly least: number },
    signal: AbortSignal,
  ): Promise<boolean> {
    const until = performance.now() + askingFor;
    do {
      const rest = members.filter(({ position }) => !leftOut.has(position));
      if (rest.length < least) {
        leftOut.clear();
        return false;
      }
      const unsigned = await this.#try(draw, own, rest, signal);
      if (unsigned === undefined) return true;
      if (unsigned.all.length === 0) return false;
      for (const position of unsigned.all) leftOut.add(position);
    } while (performance.now() < until);
    return false;
  }

  /** Posts a root over these members when all of them sign it; else says who does not: nobody when the chain did not take it. */
  async #try(
    draw: DrawnCommittee,
    own: number,
    members: readonly MemberDigests[],
    signal: AbortSignal,
  ): Promise<Unsigned | undefined> {
    const { signed, ...others } = await this.#signatures(draw, own, members, signal);
    if (signed.length === members.length)
      return (await this.#post(draw, signed)) ? undefined : { all: [], ...others };
    const signers = new Set(signed.map(({ member }) => member.position));
    return { all: positionsOf(members).filter((position) => !signers.has(position)), ...others };
  }

  /** Asks all members for their digests that have not given them yet. */
  async #gather(draw: DrawnCommittee, own: number, gathered: Gathered, signal: AbortSignal): Promise<void> {
    const { exchange, desk, all, log } = this.#parts;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
    const asked = all.operators(draw).map(async (operator, position) => {
      if (gathered.has(position)) return;
      const digests = position === own ? desk.found(draw) : await exchange.digests(operator, draw, limit);
      const member = { position, digests };
      leavesOf(draw, [member]);
      gathered.keep(member);
    });
    const results = await Promise.allSettled(asked);
    signal.throwIfAborted();
    for (const result of results)
      if (result.status === "rejected") log.debug({ reason: reasonOf(result) }, "a member did not answer");
  }

  async #signatures(
    draw: DrawnCommittee,
    own: number,
    members: readonly MemberDigests[],
    signal: AbortSignal,
  ): Promise<{ readonly signed: readonly Signed[] } & Pick<Unsigned, "refused" | "away">> {
    const { exchange, desk, all, committees, sworn, gathering, log } = this.#parts;
    const operators = all.operators(draw);
    const { jobId, attempt } = draw;
    const gathered = gathering.of(draw);
    const root = rootOf(draw, members);
    const trusted = members.filter(({ position }) => !gathered.isDistrusted(root, position));
    const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
    const asked = trusted.map(async ({ position }) =>
      position === own
        ? desk.signFor(draw, own, members, [own])
        : await exchange.sign(operators[position]!, { jobId, attempt, members }, limit),
    );
    const results = await Promise.allSettled(asked);
    signal.throwIfAborted();
    const signed: Signed[] = [];
    const [refused, away]: [number[], number[]] = [[], []];
    for (const [i, result] of results.entries()) {
      const member = trusted[i]!;
      const { position } = member;
      if (result.status === "fulfilled") {
        const key = committees.keyOf(draw.members[position]!)!;
        signed.push({ member, signature: result.value, key });
        continue;
      }
      log.debug({ position, reason: reasonOf(result) }, "a member did not sign");
      (isRefusal(result.reason) ? refused : away).push(position);
    }
    const message = hexToBytes(messageOf(draw, maskOf(positionsOf(members)), root));
    const groups = await soundGroups(signed, message);
    const leaves = leavesOf(draw, members);
    for (const group of groups) {
      // What holds is their sum: it is the evidence against each of them, whatever each has sent.
      const signature = addSignatures(group.map((each) => each.signature));
      const signers = positionsOf(group.map(({ member }) => member));
      for (const position of signers.filter((each) => each !== own))
        sworn.keep(draw, { position, leaves, signers, signature });
    }
    const valid = groups.flat();
    const unsound = signed.filter((each) => !valid.includes(each)).map(({ member }) => member.position);
    for (const { member } of valid) gathered.meet(member.position);
    for (const position of [...unsound, ...away]) gathered.distrust(root, position);
    return { signed: valid, refused: [...refused, ...unsound], away };
  }

  async #post(draw: DrawnCommittee, signed: readonly Signed[]): Promise<boolean> {
    const { jobId, attempt } = draw;
    const members = signed.map(({ member }) => member);
    const mask = maskOf(positionsOf(members));
    const statement = {
      members: mask,
      root: rootOf(draw, members),
      signers: mask,
      signature: addSignatures(signed.map(({ signature }) => signature)),
      key: addKeys(signed.map(({ key }) => key)).g2,
    };
    const key = `attest:${jobId}:${attempt}`;
    const isPosted = await tryCall(this.#parts, key, "Committee", "attest", [jobId, statement]);
    if (isPosted) this.#parts.log.info({ jobId, attempt, signers: members.length }, "attested");
    return isPosted;
  }
}

function reasonOf({ reason }: PromiseRejectedResult): string {
  return (reason as Error).message;
}

function positionsOf(members: readonly MemberDigests[]): number[] {
  return members.map(({ position }) => position);
}

function rootOf(draw: DrawnCommittee, members: readonly MemberDigests[]) {
  return bytesToHex(statementTree(draw, leavesOf(draw, members)).root);
}

/**
 * Those whose sums hold: all of them at one look, or parts of them, down to whose is wrong. Pairings take long: other work goes
 * on between them.
 */
async function soundGroups(signed: readonly Signed[], message: Uint8Array): Promise<(readonly Signed[])[]> {
  if (signed.length === 0) return [];
  await immediate();
  if (isSigned(signed, message)) return [signed];
  if (signed.length === 1) return [];
  const half = signed.length >> 1;
  const first = await soundGroups(signed.slice(0, half), message);
  return [...first, ...(await soundGroups(signed.slice(half), message))];
}

/** A sum at infinity, or of bad points, is nobody's signature. */
function isSigned(signed: readonly Signed[], message: Uint8Array): boolean {
  try {
    const key = addKeys(signed.map((each) => each.key)).g2;
    return verify(key, signatureDomain, message, addSignatures(signed.map((each) => each.signature)));
  } catch {
    return false;
  }
}
