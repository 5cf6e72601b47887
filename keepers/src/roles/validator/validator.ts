import { join } from "node:path";
import type { Address } from "viem";
import type { Executor } from "../../training/executors/types.ts";
import { Disputant } from "../challenger/disputant.ts";
import { WitnessInspector } from "../challenger/witness-inspector.ts";
import { JobCashier } from "../jobs/cashier.ts";
import { ComputeTurns } from "../jobs/compute-turns.ts";
import type { Duty } from "../jobs/duty.ts";
import { defaultFetchTime } from "../jobs/fetch-time.ts";
import { JobJanitor } from "../jobs/janitor.ts";
import { JobKeeper, type KeeperOptions } from "../jobs/job-keeper.ts";
import type { JobLedger } from "../jobs/job-ledger.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import type { JobStorage } from "../jobs/job-storage.ts";
import type { MachineLimits } from "../jobs/published-program.ts";
import type { SideBySideOptions } from "../jobs/side-by-side.ts";
import { readingForStrangers } from "../storage-node/context.ts";
import { Accuser } from "./accuser.ts";
import { Answerer } from "./answerer.ts";
import { Attendance } from "./attendance.ts";
import { loadOrCreateBlsSecret } from "./bls-secret.ts";
import { BookSweeper } from "./book-sweeper.ts";
import { CheckBook, checkSchema } from "./check-book.ts";
import { Checker, type CheckerParts } from "./checker.ts";
import {
  CommitteeLedger,
  committeeContracts,
  committeeHandler,
  committeeSchema,
} from "./committee-ledger.ts";
import { Committees } from "./committees.ts";
import { Desk } from "./desk.ts";
import { type EnrolledPeers, onDutyOf, operatorsOf } from "./enrolled-peers.ts";
import { Enroller } from "./enroller.ts";
import type { Exchange } from "./exchange.ts";
import { Gathering } from "./gathering.ts";
import { Member } from "./member.ts";
import { otherwise } from "./otherwise.ts";
import { Prosecutor } from "./prosecutor.ts";
import type { HandedOver } from "./recomputing.ts";
import { Steward } from "./steward.ts";
import { SwornBook, swornSchema } from "./sworn-book.ts";
import { Weigher, weigherSchema } from "./weigher.ts";

/** Looks of a keeper from one look at a job whose trace cannot be had to the next. */
const looks = 5;
/** Jobs that are looked at side by side: each may have a quarter of the memory for its objects. */
const mostChecks = 4;

export type ValidatorOptions = KeeperOptions &
  Pick<SideBySideOptions, "patience"> & {
    readonly storage: JobStorage;
    readonly executor: Executor;
    readonly limits: MachineLimits;
    /**
     * Micro-batches that are executed for one seat; longer ones begin at states that are handed over or stored, and are given
     * up where these are too far from its intervals. Any number by default.
     */
    readonly budget?: number;
    /** How what providers hand over is used; intervals are executed again when it is left out. */
    readonly handedOver?: HandedOver;
    /** How the members of a committee reach each other; it is closed with the keeper. */
    readonly exchange: Exchange;
    /** Peers that come before strangers at the exchange; it is told who they are. */
    readonly enrolled?: EnrolledPeers;
    /** Units of stake that count in draws; 1 by default. */
    readonly weight?: number;
    /** Tokens that the operator should have staked in all, in base units; what the weight needs by default. */
    readonly stake?: bigint;
    /** Tokens that may be staked over all time in place of what was slashed, in base units; none by default. */
    readonly topUp?: bigint;
    /** Whether a greater weight, of an earlier start, is lowered to `weight`; it is not by default. */
    readonly lowers?: boolean;
    /** Chain seconds after which the next validator takes up what the one before it should have done; 60 by default. */
    readonly turnSeconds?: number;
    /** Seconds that data, or a result, may take to arrive before it counts as withheld; 1,800 by default. */
    readonly fetchTime?: number;
    /** Where fees go; to the validator's own account by default. */
    readonly payTo?: Address;
    /** Takes the place of the one that executes intervals again, so that a demonstration can guess. */
    readonly checker?: (parts: CheckerParts) => Duty;
  };

/**
 * The validator role: enrols, sits on committees, executes the intervals that are drawn for it again, attests to what it
 * finds right, reveals, disputes what a provider opens otherwise than it was computed, collects its fees. The account needs
 * coins for gas and for the bond of such a dispute, and tokens for its stake.
 */
export async function openValidator(options: ValidatorOptions): Promise<JobKeeper> {
  const { dataDirectory, account, storage, executor, limits, exchange, payTo } = options;
  const { weight = 1, stake, topUp = 0n, lowers = false, turnSeconds = 60, budget, handedOver } = options;
  const { fetchTime = defaultFetchTime, interval = 2_000, patience } = options;
  const secret = await loadOrCreateBlsSecret(dataDirectory, options);
  let desk: Desk | undefined;
  const keeper = await JobKeeper.open(options, {
    schemas: [committeeSchema, checkSchema, swornSchema, weigherSchema],
    follows: { contracts: committeeContracts, handler: committeeHandler },
    jobs: ({ ledger }, state) => {
      const committees = new CommitteeLedger(state);
      return () => jobsOf(account.address, ledger, committees);
    },
    duties(context, state) {
      const { ledger } = context;
      const committees = new CommitteeLedger(state);
      const book = new CheckBook(state);
      const folder = join(dataDirectory, "jobs");
      const all = new Committees({ ...context, committees });
      const sworn = new SwornBook(state);
      const prosecutor = new Prosecutor({ ...context, all, committees, book, sworn });
      const compute = { storage, executor, limits, folder };
      const waiting = { fetchTime, most: mostChecks, patience, lookEvery: looks * interval };
      const checking = { ...context, ...compute, ...waiting, all, committees, book, budget, handedOver };
      const turns = new ComputeTurns(context.log);
      const gathering = new Gathering();
      // Whoever asks what was found may be no member: what that reads of the chain waits behind duties.
      const { contracts } = readingForStrangers(context);
      desk = new Desk({ ...context, contracts, all, committees, book, secret, exchange, gathering });
      const sitting = { ...context, gathering, turnSeconds, patience };
      const jobs = () => jobsOf(account.address, ledger, committees);
      const sitsOn = ({ jobId }: JobRecord) => {
        const draws = committees.drawsOf(jobId);
        if (draws.length === 0) return false;
        const own = committees.idsOf(account.address);
        return own.some((id) => draws.some(({ members }) => members.includes(id)));
      };
      return [
        new Enroller({ ...context, account, exchange, secret, weight, stake }),
        // What has a deadline on chain comes before what takes long.
        new Steward({ ...context, all, committees, book, prosecutor, folder, turnSeconds }),
        new Attendance({ ...context, all, committees, book, patience }),
        new Member({ ...sitting, all, committees, exchange, desk, book, sworn }),
        new Answerer({ ...checking, turns }),
        new Accuser({
          ...checking,
          turnSeconds,
          find: async (_, draw, interval) => {
            const found = book.interval(draw, interval);
            if (found === undefined) return undefined;
            const { witnessHash } = found;
            return witnessHash === null ? { isRight: false } : { isRight: true, witnessHash };
          },
        }),
        // After what is due at once, and before what takes long: others can have a member slashed for what is not disputed.
        new Disputant({ ...checking, turns, isMeant: () => true }),
        // Who guesses has computed nothing that could be held against anything.
        ...(options.checker === undefined
          ? [
              new WitnessInspector({
                ...checking,
                moves: new Map(),
                suspects: (job, opened) => otherwise(checking, job, opened),
              }),
            ]
          : []),
        new Weigher({ ...context, account, state, committees, weight, topUp, lowers }),
        options.checker?.(checking) ?? new Checker(checking),
        new BookSweeper({ ...context, committees, state }),
        new JobJanitor({ ...context, only: sitsOn }),
        new JobCashier({ ...context, payTo, jobs }),
        {
          name: "exchanging",
          tick: async () => options.enrolled?.look(operatorsOf(committees), onDutyOf(committees)),
          close: () => exchange.close(),
        },
      ];
    },
  });
  await exchange.serve(desk!);
  return keeper;
}

/** Jobs for whose committees an operator was ever drawn. */
function jobsOf(operator: Address, ledger: JobLedger, committees: CommitteeLedger): JobRecord[] {
  const drawn = committees
    .idsOf(operator)
    .flatMap((id) => committees.drawsWith(id).map(({ jobId }) => jobId));
  return [...new Set(drawn)].flatMap((jobId) => ledger.job(jobId) ?? []);
}
