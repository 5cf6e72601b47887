import type { Address, Hex } from "viem";
import type { Contracts } from "../../../keepers/src/chain/contracts.ts";
import type { HeldBundle } from "./operator-work.ts";

/** Epochs before the present one whose audits may still be open. */
const epochsBack = 2;

/** `IDatasetRegistry.Status` */
const active = 1;

/** Bundles that are asked about, at most: each takes several questions to the endpoint. */
export const mostAsked = 100;

/** When an epoch's audits are due. */
export type Window = {
  readonly epoch: number;
  readonly closesAt: bigint;
  /** Until then anyone may call a timeout for what was not answered. */
  readonly callableUntil: bigint;
};

/** What an operator has to prove of a bundle in an epoch. */
export type Duty = {
  readonly window: Window;
  readonly bundle: HeldBundle;
  readonly isAnswered: boolean;
  /** When a timeout that was called takes effect; 0 when none was. */
  readonly graceEnds: bigint;
};

export type Standing = {
  readonly words: string;
  readonly tone: "healthy" | "waiting" | "wrong" | "neutral";
  /** When that changes. */
  readonly until?: bigint;
};

/** How a duty stands at a second of the chain's clock. */
export function standingOf({ window, isAnswered, graceEnds }: Duty, now: bigint): Standing {
  if (isAnswered) return { words: "Answered", tone: "healthy" };
  if (now < window.closesAt) return { words: "Due", tone: "waiting", until: window.closesAt };
  if (graceEnds > now) return { words: "Late: it can still be answered", tone: "wrong", until: graceEnds };
  if (graceEnds > 0n) return { words: "Missed: it costs stake", tone: "wrong" };
  return now < window.callableUntil
    ? { words: "Late: whoever calls it opens a last hour", tone: "wrong", until: window.callableUntil }
    : { words: "Not answered, and nobody called it", tone: "neutral" };
}

type Reads = Pick<Contracts, "StorageAudit" | "BundleRegistry" | "DatasetRegistry">;

/** What the contracts want proved of these bundles now and shortly before; the newest epoch first. */
export async function readDuties(
  { StorageAudit, BundleRegistry, DatasetRegistry }: Reads,
  account: Address,
  bundles: readonly HeldBundle[],
): Promise<Duty[]> {
  const current = await StorageAudit.read.currentEpoch();
  const windows = await readWindows({ StorageAudit }, current);
  if (windows.length === 0) return [];
  const asked = bundles.slice(0, mostAsked);
  const ends = new Map(
    await Promise.all(
      [...new Set(asked.map(({ dataset }) => dataset.id))].map(async (id) => {
        const [status, end] = await DatasetRegistry.read.termsOf([id as Hex]);
        return [id, status === active ? end : 0] as const;
      }),
    ),
  );
  const duties = await Promise.all(
    asked.map(async (bundle) => {
      const id = bundle.id as Hex;
      const { operator, since } = await BundleRegistry.read.holdingOf([id]);
      // An index may be behind: what somebody else holds by now is somebody else's.
      if (operator.toLowerCase() !== account.toLowerCase()) return [];
      const due = windows.filter(({ epoch }) => epoch >= since && epoch < ends.get(bundle.dataset.id)!);
      return Promise.all(
        due.map(async (window): Promise<Duty> => {
          const { epoch } = window;
          const duty = await BundleRegistry.read.dutyOf([id, epoch]);
          const [answers, graceEnds] = await Promise.all([
            Promise.all([...new Set([duty, id])].map((each) => StorageAudit.read.isAnswered([each, epoch]))),
            StorageAudit.read.graceEndsAt([duty, epoch]),
          ]);
          return { window, bundle, isAnswered: answers.includes(true), graceEnds };
        }),
      );
    }),
  );
  return duties.flat().sort((a, b) => b.window.epoch - a.window.epoch);
}

/** Windows of the epochs whose seed has come. */
async function readWindows(
  { StorageAudit }: Pick<Contracts, "StorageAudit">,
  current: number,
): Promise<Window[]> {
  const epochs = Array.from({ length: epochsBack + 1 }, (_, back) => current - back).filter((n) => n >= 0);
  const windows = await Promise.all(
    epochs.map(async (epoch) => {
      const [[, opensAt, closesAt], { windows: lengths }] = await Promise.all([
        StorageAudit.read.windowOf([epoch]),
        StorageAudit.read.epochOf([epoch]),
      ]);
      return opensAt === 0n
        ? []
        : [{ epoch, closesAt, callableUntil: closesAt + BigInt(lengths.timeoutWindow) }];
    }),
  );
  return windows.flat();
}
