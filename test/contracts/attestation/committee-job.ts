/** A job with a committee of nine, on the whole deployment: real registry, games, staking, validators, committee and beacon. */
import {
  type Account,
  type Hex,
  hexToBytes,
  keccak256,
  parseEther,
  parseEventLogs,
  toHex,
  zeroHash,
} from "viem";
import {
  addKeys,
  addSignatures,
  type BlsKey,
  keyOf,
  sign,
  signatureDomain,
} from "../../../keepers/src/core/attestation/bls.ts";
import {
  type DrawnCommittee,
  digestOf,
  intervalsOf,
  maskOf,
  messageOf,
  provePossession,
  type SignedLeaf,
  statementTree,
  witnessesHash,
} from "../../../keepers/src/core/attestation/statement.ts";
import type { ClaimedRun } from "../../../keepers/src/training/dispute/claimed-run.ts";
import { openLeaf } from "../../../keepers/src/training/dispute/leaves.ts";
import { books, encodeMove, ownerOf, stageOf } from "../../../keepers/src/training/dispute/moves.ts";
import { nextMove } from "../../../keepers/src/training/dispute/next-move.ts";
import type { OwnRun } from "../../../keepers/src/training/dispute/own-run.ts";
import type { PlayOptions, Step } from "../disputes/game/arena.ts";
import { type DisputeEvent, type DisputeHistory, historyOf } from "../disputes/game/history.ts";
import type { Job } from "../disputes/game/story.ts";
import { challengerBond, createLockedJob } from "../jobs/locked-job.ts";
import { day } from "../storage/deployment.ts";

export const size = 9;
export const checks = 2;
const jobId = 1n;
const attempt = 1n;

/** A validator: its operator, and its key. */
export type Seat = { readonly account: Account; readonly secret: bigint; readonly key: BlsKey };

export type CommitteeJob = Awaited<ReturnType<typeof createCommitteeJob>>;

/**
 * A locked job, and ten validators that can be drawn.
 *
 * @param make the job, with objects of a dataset
 */
export async function createCommitteeJob(make: (datasetId: Hex) => Promise<Job> | Job) {
  const { order, program } = await make(zeroHash);
  const locked = await createLockedJob({
    order,
    nodeCounts: program.tapes.map((tape) => tape.length) as [number, number, number],
    witnessNode: program.witness,
    slots: program.state.length,
    committeeSize: size,
    trainingTime: 30 * day,
  });
  const job = await make(locked.datasetId);
  const { viem, networkHelpers, publicClient, staking, validators, committee, operators } = locked;
  const memberGame = await viem.getContractAt("MemberGame", locked.memberGame.address);
  const chainId = BigInt(await publicClient.getChainId());
  const seats: Seat[] = [];
  for (const [i, { account }] of operators.slice(5, 15).entries()) {
    const secret = BigInt(keccak256(toHex(`secret ${i}`))) >> 8n;
    const key = keyOf(secret);
    const place = { chainId, contract: validators.address };
    await staking.write.update([5, "0x0024", "/dns4/localhost/tcp/1"], { account });
    await staking.write.approve([validators.address, parseEther("1000")], { account });
    await validators.write.enrol([1n, key, provePossession(secret, place, account.address, key)], {
      account,
    });
    seats.push({ account, secret, key });
  }
  await networkHelpers.time.increase(day);

  /** Draws the members of the committed job. */
  const draw = async (): Promise<DrawnCommittee> => {
    const { requestId } = await committee.read.drawOf([jobId, attempt]);
    await locked.deliverSeed(requestId);
    await committee.write.draw([jobId]);
    const [seed] = await locked.beacon.read.seedOf([requestId]);
    const { traceRoot } = await locked.jobs.read.jobOf([jobId]);
    const members = await committee.read.membersOf([jobId, attempt]);
    const place = { chainId, contract: committee.address, intervals: job.intervals, checks };
    return { ...place, jobId, attempt, seed, traceRoot, members };
  };
  const seatAt = (drawn: DrawnCommittee, position: number) => seats[Number(drawn.members[position]!) - 1]!;

  /** What members say whose runs these are, position by position. */
  const leavesOf = async (drawn: DrawnCommittee, runs: readonly OwnRun[]): Promise<SignedLeaf[]> => {
    const leaves: SignedLeaf[] = [];
    for (const [position, run] of runs.entries()) {
      for (const interval of intervalsOf(drawn, position)) {
        const hash = witnessesHash(await run.witnesses(interval));
        const digest = digestOf(drawn, jobId, drawn.members[position]!, interval, hash);
        leaves.push({ position, interval, digest });
      }
    }
    return leaves;
  };
  const attest = async (drawn: DrawnCommittee, leaves: readonly SignedLeaf[]) => {
    const positions = [...new Set(leaves.map(({ position }) => position))];
    const members = maskOf(positions);
    const root = toHex(statementTree(drawn, leaves).root);
    const message = hexToBytes(messageOf(drawn, members, root));
    const signed = positions.map((position) =>
      sign(seatAt(drawn, position).secret, signatureDomain, message),
    );
    const key = addKeys(positions.map((position) => seatAt(drawn, position).key)).g2;
    return await committee.write.attest([
      jobId,
      { members, root, signers: members, signature: addSignatures(signed), key },
    ]);
  };
  /** What the provider opens of its run, and the members' digests beside it. */
  const reveal = async (drawn: DrawnCommittee, leaves: readonly SignedLeaf[], provider: ClaimedRun) => {
    const trace = await provider.leaves();
    const openings = await Promise.all(
      leaves.map(async ({ interval }) => {
        const { stateRoot, siblings } = openLeaf(trace, interval + 1);
        const witnesses = await provider.witnesses(interval);
        return { stateRoot, salt: provider.salt(interval), witnesses, siblings };
      }),
    );
    await committee.write.openWitnesses([jobId, openings]);
    const hashes = openings.map(({ witnesses }) => witnessesHash(witnesses));
    const differences = leaves.flatMap(({ position, interval, digest }, i) => {
      const opened = digestOf(drawn, jobId, drawn.members[position]!, interval, hashes[i]!);
      return opened === digest ? [] : [{ leaf: BigInt(i), digest }];
    });
    return await committee.write.reveal([jobId, hashes, differences]);
  };
  const commit = async (run: ClaimedRun) => locked.commit(await run.leaves());

  const measured = async (name: string, hash: Hex): Promise<Step> => {
    const { gasUsed } = await publicClient.waitForTransactionReceipt({ hash });
    const { input } = await publicClient.getTransaction({ hash });
    return { name, gas: Number(gasUsed), bytes: (input.length - 2) / 2 };
  };
  /** Accuses a member for one of its intervals. */
  const accuse = async (position: number, number: number, account: Account, value = challengerBond) => {
    const args = [jobId, attempt, BigInt(position), BigInt(number)] as const;
    const hash = await memberGame.write.accuse(args, { account, value });
    const { logs } = await publicClient.waitForTransactionReceipt({ hash });
    const [event] = parseEventLogs({ abi: memberGame.abi, logs, eventName: "Accused" });
    return { id: event!.args.accusationId, step: await measured("accuse", hash) };
  };
  const disputeOf = async (accusationId: bigint): Promise<DisputeHistory> => {
    const range = { fromBlock: 0n } as const;
    const logs = [
      ...(await memberGame.getEvents.Accused({ accusationId }, range)),
      ...(await memberGame.getEvents.Moved({ accusationId }, range)),
      ...(await memberGame.getEvents.Posted({ accusationId }, range)),
    ].sort((a, b) => Number(a.blockNumber - b.blockNumber) || a.logIndex - b.logIndex);
    return historyOf(
      logs.map(({ eventName, args }) => {
        return {
          name: eventName === "Accused" ? "Challenged" : eventName,
          ...args,
        } as unknown as DisputeEvent;
      }),
    );
  };
  /** Siblings of a member's leaf under the signed root. */
  const siblingsOf = (
    drawn: DrawnCommittee,
    leaves: readonly SignedLeaf[],
    position: number,
    number: number,
  ) =>
    statementTree(drawn, leaves)
      .proof(position * Math.min(checks, drawn.intervals) + number)
      .map((sibling) => toHex(sibling));

  /** Plays an accusation until it ends, or until somebody has no move. */
  const play = async (
    id: bigint,
    accuser: { readonly own: OwnRun; readonly account: Account },
    member: { readonly run: ClaimedRun; readonly account: Account; readonly signed: readonly Hex[] },
    { pick }: Pick<PlayOptions, "pick"> = {},
  ): Promise<{ steps: Step[]; ending: "convicted" | "lost" | "settled" | "stuck" }> => {
    const steps: Step[] = [];
    for (;;) {
      const { round, answers } = await disputeOf(id);
      const isMembers = ownerOf(round) === "provider";
      const move =
        (await pick?.(round, stageOf(round))) ??
        (isMembers
          ? await nextMove({ role: "provider", run: member.run, signed: member.signed }, round)
          : await nextMove({ role: "challenger", own: accuser.own, answers }, round));
      if (move === undefined) return { steps, ending: "stuck" };
      const { account } = isMembers ? member : accuser;
      const hash = await memberGame.write
        .play([id, books[move.book], encodeMove(round, move)], { account })
        .catch((error: unknown) => {
          // A side whose best move shows nothing has none.
          if (!/NothingShown/.test(String(error))) throw error;
        });
      if (hash === undefined) return { steps, ending: "stuck" };
      steps.push(await measured(move.name, hash));
      const { logs } = await publicClient.getTransactionReceipt({ hash });
      const names = parseEventLogs({ abi: memberGame.abi, logs }).map(({ eventName }) => eventName);
      if (names.includes("MemberConvicted")) return { steps, ending: "convicted" };
      if (names.includes("AccusationLost")) return { steps, ending: "lost" };
      if (names.includes("AccusationSettled")) return { steps, ending: "settled" };
    }
  };
  const waitPast = async (time: bigint) => {
    if (BigInt(await networkHelpers.time.latest()) <= time) await networkHelpers.time.increaseTo(time + 1n);
  };
  /** Lets the turn of an accusation run out. */
  const timeOut = async (id: bigint): Promise<Step[]> => {
    await waitPast(await memberGame.read.deadlineOf([id]));
    const called = await measured("callTimeout", await memberGame.write.callTimeout([id]));
    await waitPast(await memberGame.read.deadlineOf([id]));
    return [called, await measured("executeTimeout", await memberGame.write.executeTimeout([id]))];
  };
  /** Lets the provider's turn in a challenge run out. */
  const timeOutProvider = async (id: bigint): Promise<void> => {
    await waitPast(await locked.game.read.deadlineOf([id]));
    await locked.game.write.callTimeout([id]);
    await waitPast(await locked.game.read.deadlineOf([id]));
    await locked.game.write.executeTimeout([id]);
  };
  const lockOf = ({ account }: Seat) => staking.read.lockedBy([account.address, validators.address]);

  return {
    ...{ ...locked, memberGame, job, seats, seatAt, draw, leavesOf, attest, reveal, commit, accuse, play },
    ...{ timeOut, timeOutProvider, siblingsOf, lockOf, measured, disputeOf },
  };
}
