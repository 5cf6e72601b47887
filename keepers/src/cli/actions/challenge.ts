import { join } from "node:path";
import { exitCode } from "../../core/errors.ts";
import { type ChallengeReport, challengeJob, intervalOf } from "../../roles/challenger/challenge-job.ts";
import type { ChallengeRecord } from "../../roles/jobs/challenge-record.ts";
import { createJobStorage } from "../../roles/jobs/job-storage.ts";
import type { CommandContext } from "../context.ts";
import { keeperOptions, machineLimits, parseJobId } from "../jobs.ts";
import { type EngineName, engineOf } from "../training/engines.ts";

export type ChallengeOptions = { engine: EngineName };

const said: Record<ChallengeReport["outcome"], string> = {
  right: "Nothing is wrong: every interval comes out as the provider committed to it.",
  convicted: "The provider is convicted: its stake is slashed, the consumer gets everything back.",
  over: "The job has ended: another challenge has won, or its order was void.",
  lost: "The provider could answer: the bond is lost.",
  unreadable: "What was published does not hold together: nobody can compute this job.",
};

/** `assay challenge` */
export async function challenge(
  context: CommandContext,
  id: string,
  options: ChallengeOptions,
): Promise<number> {
  const { output, signal } = context;
  const jobId = parseJobId(id);
  const keeper = await keeperOptions(context, join(await context.stateFolder(), "challenge"));
  keeper.log.level = output.verbose ? "debug" : "silent";
  output.note(`computing job ${jobId} again`);
  const report = await challengeJob({
    ...keeper,
    storage: createJobStorage(await context.storageClient()),
    executor: await engineOf(options.engine),
    limits: machineLimits(),
    jobId,
    signal,
    onChallenge: (each) => output.note(line(each)),
  });
  const { outcome, challenges, rewardAfter } = report;
  const documents = challenges.map((each) => ({
    challengeId: each.challengeId,
    interval: intervalOf(each) ?? null,
    moves: each.moves,
    outcome: each.outcome ?? null,
  }));
  output.result({ jobId, outcome, challenges: documents, rewardAfter: rewardAfter ?? null }, [
    said[outcome],
    ...challenges.map(line),
    ...(rewardAfter === undefined
      ? []
      : [
          `The reward is paid after ${new Date(Number(rewardAfter) * 1000).toISOString()}: run the command again then.`,
        ]),
  ]);
  return outcome === "lost" || outcome === "unreadable" ? exitCode.failure : exitCode.ok;
}

function line(each: ChallengeRecord): string {
  const interval = intervalOf(each);
  const where = interval === undefined ? "the whole trace" : `interval ${interval}`;
  const end = each.outcome === undefined ? "" : `, ${each.outcome}`;
  return `challenge ${each.challengeId} of ${where}: ${each.moves} moves${end}`;
}
