import { bytesToHex, hexToBytes } from "viem";
import { addKeys, type BlsKey, type G1Words, signatureDomain, verify } from "../../core/attestation/bls.ts";
import {
  type DrawnCommittee,
  intervalsOf,
  maskOf,
  messageOf,
  type SignedLeaf,
  statementTree,
} from "../../core/attestation/statement.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { tryCall } from "../storage-node/context.ts";
import type { CheckBook } from "./check-book.ts";
import { committeeCalls } from "./committee-calls.ts";
import type { CommitteeLedger } from "./committee-ledger.ts";
import { type Committees, type CommitteesParts, positionsIn } from "./committees.ts";
import type { SwornBook, SwornStatement } from "./sworn-book.ts";

export type ProsecutorParts = CommitteesParts & {
  readonly all: Committees;
  readonly committees: CommitteeLedger;
  readonly book: CheckBook;
  readonly sworn: SwornBook;
};

/** A signed statement, with the sum of its signers' keys. */
type Evidence = {
  readonly leaves: readonly SignedLeaf[];
  readonly signers: readonly number[];
  readonly signature: G1Words;
  readonly key: BlsKey["g2"];
};

type KeptEvidence = Evidence & { readonly kept: SwornStatement };

/** Has members slashed that signed two digests for one interval: to this validator, or to it and to everybody. */
export class Prosecutor {
  readonly #parts: ProsecutorParts;

  constructor(parts: ProsecutorParts) {
    this.#parts = parts;
  }

  async prosecute(job: JobRecord, attempt: bigint): Promise<void> {
    const { contracts, all, sworn } = this.#parts;
    const draw = await all.draw(job, attempt);
    const kept = draw === undefined ? [] : sworn.of(draw);
    if (draw === undefined || kept.length === 0) return;
    const { liars, signers, root } = await contracts.Committee.read.drawOf([draw.jobId, attempt]);
    const public_ = signers === 0n ? undefined : this.#parts.book.leaves(draw, root);
    for (const position of new Set(kept.map((each) => each.position))) {
      if ((liars >> BigInt(position)) & 1n) continue;
      const said = kept
        .filter((each) => each.position === position)
        .map((each) => this.#evidence(draw, each));
      const isContradicted = said.some(({ leaves }, i) => {
        const others = [...said.slice(i + 1).map((each) => each.leaves), ...(public_ ? [public_] : [])];
        return others.some((other) => contradiction(draw, position, leaves, other) !== undefined);
      });
      if (!isContradicted) continue;
      const own = said.filter((each) => this.#holds(draw, each));
      const first = own[0];
      if (first === undefined) continue;
      const other = own
        .slice(1)
        .find((each) => contradiction(draw, position, first.leaves, each.leaves) !== undefined);
      if (other !== undefined) await this.#accuse(draw, position, first, other);
      else if (public_ !== undefined && contradiction(draw, position, first.leaves, public_) !== undefined) {
        const posted = await this.#posted(draw, public_, positionsIn(signers));
        if (posted !== undefined) await this.#accuse(draw, position, first, posted);
      }
    }
  }

  async #accuse(draw: DrawnCommittee, position: number, one: Evidence, other: Evidence): Promise<void> {
    const { jobId, attempt } = draw;
    const interval = contradiction(draw, position, one.leaves, other.leaves)!;
    const number = BigInt(intervalsOf(draw, position).indexOf(interval));
    const key = `slash-equivocation:${jobId}:${attempt}:${position}`;
    const [first, second] = [one, other].map((each) => swornLeaf(draw, each, position, interval));
    const args = [jobId, attempt, BigInt(position), number, first!, second!] as const;
    if (await tryCall(this.#parts, key, "Committee", "slashEquivocation", args)) {
      this.#parts.log.warn({ jobId, attempt, position, interval }, "a member signed two digests: slashed");
    }
  }

  #evidence(draw: DrawnCommittee, statement: SwornStatement): KeptEvidence {
    const { leaves, signers, signature } = statement;
    return { leaves, signers, signature, key: this.#keyOf(draw, signers), kept: statement };
  }

  /** Whether the contract would take a statement that is kept; one that it would not keeps no other out. */
  #holds(draw: DrawnCommittee, evidence: KeptEvidence): boolean {
    if (isSigned(draw, evidence)) return true;
    this.#parts.sworn.drop(draw, evidence.kept);
    return false;
  }

  /**
   * The statement that was posted: its signature is in the call alone, and proves the right one of all that endpoints show.
   * Undefined when nobody shows it.
   */
  async #posted(
    draw: DrawnCommittee,
    leaves: readonly SignedLeaf[],
    signers: readonly number[],
  ): Promise<Evidence | undefined> {
    const { jobId, attempt } = draw;
    const { committees, log } = this.#parts;
    const hash = committees.attestedIn(jobId, attempt);
    if (hash === undefined) return undefined;
    const key = this.#keyOf(draw, signers);
    for (const calls of await committeeCalls(this.#parts, hash)) {
      const call = calls.findLast((each) => each.functionName === "attest" && each.args[0] === jobId);
      if (call?.functionName !== "attest") continue;
      const evidence = { leaves, signers, signature: call.args[1].signature, key };
      if (isSigned(draw, evidence)) return evidence;
    }
    log.warn(
      { jobId, attempt },
      "no endpoint shows the statement that was posted: who contradicts it goes free",
    );
    return undefined;
  }

  /** The sum of the keys of some members. */
  #keyOf(draw: DrawnCommittee, signers: readonly number[]): BlsKey["g2"] {
    return addKeys(signers.map((each) => this.#parts.committees.keyOf(draw.members[each]!)!)).g2;
  }
}

/** Whether those who are said to have signed a statement have. */
function isSigned(draw: DrawnCommittee, { leaves, signature, key }: Evidence): boolean {
  const mask = maskOf(leaves.map((leaf) => leaf.position));
  const root = bytesToHex(statementTree(draw, leaves).root);
  return verify(key, signatureDomain, hexToBytes(messageOf(draw, mask, root)), signature);
}

/** An interval of a member that two statements give different digests for. */
function contradiction(
  draw: DrawnCommittee,
  position: number,
  one: readonly SignedLeaf[],
  other: readonly SignedLeaf[],
): number | undefined {
  const digestOf = (leaves: readonly SignedLeaf[], interval: number) =>
    leaves.find((leaf) => leaf.position === position && leaf.interval === interval)?.digest;
  return intervalsOf(draw, position).find((interval) => {
    const [a, b] = [digestOf(one, interval), digestOf(other, interval)];
    return a !== undefined && b !== undefined && a !== b;
  });
}

/** A leaf under a signed root, as the contract takes it. */
function swornLeaf(draw: DrawnCommittee, evidence: Evidence, position: number, interval: number) {
  const { leaves, signers, signature, key } = evidence;
  const tree = statementTree(draw, leaves);
  const index = leaves.findIndex((leaf) => leaf.position === position && leaf.interval === interval);
  return {
    statement: {
      members: maskOf(leaves.map((leaf) => leaf.position)),
      root: bytesToHex(tree.root),
      signers: maskOf(signers),
      signature,
      key,
    },
    digest: leaves[index]!.digest,
    siblings: tree.proof(index).map((sibling) => bytesToHex(sibling)),
  };
}
