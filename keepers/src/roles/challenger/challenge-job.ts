import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { AssayError, BadInputError, exitCode } from "../../core/errors.ts";
import { noInterval } from "../../training/dispute/moves.ts";
import type { ChallengeRecord } from "../jobs/challenge-record.ts";
import type { JobContext } from "../jobs/duty.ts";
import { JobKeeper } from "../jobs/job-keeper.ts";
import { isUnchallengeable, type JobRecord } from "../jobs/job-record.ts";
import { surelyNow } from "../storage-node/agreement.ts";
import { chainTime } from "../storage-node/context.ts";
import { type ChallengerOptions, challengerDuties, challengerTables } from "./challenger.ts";
import { keptFolder } from "./misstored.ts";
import { WatchList } from "./watch-list.ts";

export type ChallengeJobOptions = Omit<ChallengerOptions, "budget"> & {
  readonly jobId: bigint;
  readonly signal?: AbortSignal;
  /** Is told of each challenge and each move. */
  readonly onChallenge?: (challenge: ChallengeRecord) => void;
};

/** What a look at one job has come to. */
export type ChallengeReport = {
  /**
   * right: every interval is. convicted: this account's challenge has won. over: another one has, or the order is void.
   * lost: the provider could answer. unreadable: what was published does not hold together, so that nobody can compute it.
   */
  readonly outcome: "right" | "convicted" | "over" | "lost" | "unreadable";
  /** Challenges of this account, oldest first. */
  readonly challenges: readonly ChallengeRecord[];
  /** When the reward for a conviction can be paid out, seconds since 1970; undefined when there is none, or it was. */
  readonly rewardAfter: bigint | undefined;
};

/**
 * Looks at one job and plays what follows to its end: executes it again, challenges the first interval that comes out
 * differently, makes every move, collects what is due. It may be killed at any point and called again.
 *
 * @throws BadInputError for a job that does not exist; AssayError for one that cannot be challenged (any more); what
 * storage and chain throw
 */
export async function challengeJob(options: ChallengeJobOptions): Promise<ChallengeReport> {
  const { jobId, signal, interval = 2000, onChallenge } = options;
  let opened: { context: JobContext; watched: WatchList } | undefined;
  const keeper = await JobKeeper.open(options, {
    ...challengerTables,
    duties(context, state) {
      opened = { context, watched: new WatchList(state) };
      return challengerDuties({ ...options, budget: Number.MAX_SAFE_INTEGER }, context, state, jobId);
    },
  });
  const { context, watched } = opened!;
  const moves = new Map<bigint, number>();
  try {
    await keeper.catchUp();
    await requireOpen(context, jobId);
    // An earlier look that could read nothing may have come too soon.
    if (watched.verdict(jobId) === "unreadable") watched.decide(jobId, "open");
    for (;;) {
      signal?.throwIfAborted();
      await keeper.tick(signal);
      await keeper.catchUp();
      for (const challenge of ownChallenges(context, jobId)) {
        if (moves.get(challenge.challengeId) === challenge.moves) continue;
        moves.set(challenge.challengeId, challenge.moves);
        onChallenge?.(challenge);
      }
      const report = await reportOf(context, watched, jobId);
      if (report !== undefined) {
        // What has just become due is collected.
        await keeper.tick(signal);
        await rm(keptFolder(join(options.dataDirectory, "jobs"), jobId), { recursive: true, force: true });
        return report;
      }
      await delay(interval, undefined, { signal });
    }
  } finally {
    await keeper.stop();
  }
}

/** The interval that a challenge was about, once it is known. */
export function intervalOf({ interval, round }: ChallengeRecord): bigint | undefined {
  const known = interval === noInterval ? round?.interval : interval;
  return known === noInterval ? undefined : known;
}

function ownChallenges({ ledger, operator }: JobContext, jobId: bigint): ChallengeRecord[] {
  return ledger.challengesOf(jobId).filter(({ challenger }) => challenger === operator);
}

async function requireOpen(context: JobContext, jobId: bigint): Promise<void> {
  const { ledger, operator } = context;
  const refused = (message: string, next?: string) =>
    new AssayError(message, { next, exitCode: exitCode.refused });
  const job = ledger.job(jobId);
  if (job === undefined) throw new BadInputError(`there is no job ${jobId} on this chain`);
  if (job.provider === operator) throw refused("nobody challenges their own work");
  // What was begun is played to its end, and collected.
  if (ownChallenges(context, jobId).length > 0) return;
  if (job.result === undefined) {
    throw refused(`nothing was committed to in job ${jobId}`, "Wait until the provider has committed.");
  }
  const isOver = !isCommitted(job) || isUnchallengeable(job, 0, await surelyNow(context));
  if (isOver) {
    throw refused(
      `job ${jobId} takes no challenges any more`,
      "`assay certificate verify --steps` still computes it again.",
    );
  }
}

function isCommitted({ status }: JobRecord): boolean {
  return status === "Committed" || status === "Attested";
}

/** undefined while something is under way. */
async function reportOf(
  context: JobContext,
  watched: WatchList,
  jobId: bigint,
): Promise<ChallengeReport | undefined> {
  const { ledger, client, contracts } = context;
  const job = ledger.job(jobId)!;
  const challenges = ownChallenges(context, jobId);
  const report = { challenges, rewardAfter: undefined };
  if (challenges.some(({ outcome }) => outcome === "convicted")) {
    if (ledger.isRewarded(jobId)) return { ...report, outcome: "convicted" };
    const [, , rewardAfter] = await contracts.DisputeGame.read.jobs([jobId]);
    // A reward that is due is waited for: the keeper is fetching it.
    if ((await chainTime(client)) > rewardAfter) return undefined;
    return { ...report, outcome: "convicted", rewardAfter: BigInt(rewardAfter) };
  }
  if (!isCommitted(job)) return { ...report, outcome: "over" };
  if (challenges.some(({ outcome, isSettled }) => outcome === undefined && !isSettled)) return undefined;
  const verdict = watched.verdict(jobId);
  if (verdict === "right" || verdict === "unreadable") return { ...report, outcome: verdict };
  return challenges.length > 0 ? { ...report, outcome: "lost" } : undefined;
}
