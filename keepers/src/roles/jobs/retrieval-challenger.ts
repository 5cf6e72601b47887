import { type Address, type Hex, zeroAddress } from "viem";
import { TransactionFailedError } from "../../chain/transactions/errors.ts";
import { bundleId } from "../../core/ids.ts";
import type { ChainView } from "../../storage/client/client.ts";
import { allBundles, readAnchor } from "../../storage/client/dataset.ts";
import type { AskedCell } from "../../storage/client/probe.ts";
import { readLogs } from "../../storage/client/read-logs.ts";
import { inBatches } from "../storage-node/batches.ts";
import { chainTime, type DutyContext, logRefusal, submitCall, tryCall } from "../storage-node/context.ts";
import type { LedgerRetrieval } from "../storage-node/ledger.ts";
import { RetrievalEnds } from "../storage-node/retrieval-ends.ts";

/** What was asked for of a dataset on chain. */
export type AskedBefore = {
  /** Challenges of this account that are not decided, soonest deadline first. */
  readonly open: readonly LedgerRetrieval[];
  /** How many this account has ever made. */
  readonly own: number;
  /** Of these, those that cost a bond, or may: they are open, or were published. Whoever is slashed gives the bond back whole. */
  readonly bound: number;
  /** How often a cell was asked for, by anybody. */
  count(bundleId: Hex, cell: number): number;
  /** Whether a cell is asked for, or on chain: a holder that was put out has published nothing, and another may hold the bundle. */
  isAnswered(bundleId: Hex, cell: number): boolean;
  /** Whether this account waits for a cell of a bundle. */
  isOpen(bundleId: Hex): boolean;
};

/**
 * What was asked for of a dataset so far, from the events since the deployment.
 *
 * @param account whose challenges are its own; nobody's when left out
 */
export async function readAsked(view: ChainView, datasetId: Hex, account?: Address): Promise<AskedBefore> {
  const { layout } = await readAnchor(view, datasetId);
  const ids = allBundles(layout).map((index) => bundleId(datasetId, index));
  // Failures first: what fails in between counts as asked for, and is looked at again.
  const failures = await readLogs(view, "RetrievalChallenges", "RetrievalFailed", { bundleId: ids });
  const failed = new Set(failures.map(({ args }) => args.challengeId));
  const events = await readLogs(view, "RetrievalChallenges", "RetrievalChallenged", { bundleId: ids });
  const ofOwner = await readLogs(view, "RetrievalChallenges", "OwnerChallenged", { datasetId });
  const all = [
    ...events.map(({ args }) => ({ ...args, isOwners: false })),
    ...ofOwner.map(({ args: { bundleIndex, owner, ...args } }) => ({
      ...{ ...args, bundleId: bundleId(datasetId, bundleIndex), operator: owner, isOwners: true },
    })),
  ];
  const counts = new Map<string, number>();
  const answered = new Set<string>();
  for (const { challengeId, bundleId: id, cellIndex } of all) {
    const key = `${id}:${cellIndex}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    if (!failed.has(challengeId)) answered.add(key);
  }
  const own = all.filter(({ challenger }) => challenger === account);
  const isAsked = (await view.contracts.RetrievalChallenges.read.askedSince([datasetId])) !== 0n;
  return withOpen(await stillOpen(view, isAsked ? own : []), {
    own: own.length,
    bound: own.filter(({ challengeId }) => !failed.has(challengeId)).length,
    count: (id, cell) => counts.get(`${id}:${cell}`) ?? 0,
    isAnswered: (id, cell) => answered.has(`${id}:${cell}`),
  });
}

function withOpen(
  open: readonly LedgerRetrieval[],
  { own, bound, count, isAnswered }: Omit<AskedBefore, "open" | "isOpen">,
): AskedBefore {
  const asked = new Set(open.map(({ bundleId: id }) => id));
  return { own, bound, count, isAnswered, open, isOpen: (id) => asked.has(id) };
}

async function stillOpen(
  { contracts: { RetrievalChallenges } }: Pick<ChainView, "contracts">,
  asked: readonly LedgerRetrieval[],
): Promise<LedgerRetrieval[]> {
  const isOpen = await Promise.all(
    asked.map(({ challengeId }) => RetrievalChallenges.read.isOpen([challengeId])),
  );
  return asked.filter((_, i) => isOpen[i]).sort((a, b) => Number(a.deadline - b.deadline));
}

/**
 * Asks holders, or the owner, for cells on chain, and brings what was asked to an end. What was done is read from the chain alone, so that whoever
 * was killed in between goes on.
 */
export class RetrievalChallenger {
  readonly #parts: DutyContext;
  readonly #asksOwner: boolean;
  readonly #ends: RetrievalEnds;

  /** @param asksOwner whether the owner is asked for what no holder owes: it answers for a result until that is paid for */
  constructor(parts: DutyContext, { asksOwner = false }: { readonly asksOwner?: boolean } = {}) {
    this.#parts = parts;
    this.#asksOwner = asksOwner;
    this.#ends = new RetrievalEnds({ ...parts, closesVoid: true });
  }

  /** Wei that a challenge carries. */
  bond(): Promise<bigint> {
    return this.#parts.contracts.RetrievalChallenges.read.bond();
  }

  /** What was asked for of a dataset so far. */
  askedOf(datasetId: Hex): Promise<AskedBefore> {
    const { contracts, client, deployment, operator } = this.#parts;
    return readAsked({ contracts, chain: client, deployment }, datasetId, operator);
  }

  /** As {@link askedOf}, where this account has asked for nothing since. */
  async again(before: AskedBefore): Promise<AskedBefore> {
    return withOpen(await stillOpen(this.#parts, before.open), before);
  }

  /**
   * Opens a challenge for each cell, several at a time; one that the chain refuses leaves the others be.
   * @returns the cells that are asked for now
   */
  async ask(cells: readonly AskedCell[], before: AskedBefore, signal: AbortSignal): Promise<AskedCell[]> {
    const bond = await this.bond();
    const keyOf = ({ bundle, cell }: AskedCell) =>
      `ask:${bundle.bundleId}:${cell}:${before.count(bundle.bundleId, cell)}`;
    return await inBatches(cells, signal, {
      begin: (asked) =>
        this.#attempt(asked, async () => {
          const { datasetId, bundleId: id, bundleIndex, poseidonRoot, transportRoot, proof } = asked.bundle;
          // Holders come and go: who owes it now is asked.
          if (this.#asksOwner && !(await this.#isHolders(id))) {
            const args = [datasetId, bundleIndex, asked.cell, poseidonRoot, transportRoot, proof] as const;
            return submitCall(this.#parts, keyOf(asked), "RetrievalChallenges", "challengeOwner", args, bond);
          }
          const args = [id, asked.cell, transportRoot, proof] as const;
          return submitCall(this.#parts, keyOf(asked), "RetrievalChallenges", "challenge", args, bond);
        }),
      end: (asked) =>
        this.#attempt(asked, async () => {
          await this.#parts.queue.wait(keyOf(asked));
        }),
    });
  }

  /** Calls the timeouts that are due, slashes who has said nothing, and fetches what has come back of the bonds. */
  async end(datasetId: Hex, { open, own }: AskedBefore, signal: AbortSignal): Promise<void> {
    const { client, contracts, operator } = this.#parts;
    if (open.length > 0) {
      await this.#ends.tick(open, { now: await chainTime(client), after: () => 0n }, signal);
    }
    if (own === 0 || (await contracts.RetrievalChallenges.read.creditOf([operator])) === 0n) return;
    // Each end gives something back: the number of those that are left names what is fetched.
    const key = `ask-credit:${datasetId}:${own}:${open.length}`;
    await tryCall(this.#parts, key, "RetrievalChallenges", "withdraw", [operator]);
  }

  /** Whether a bundle has a holder that has agreed to the present epoch. */
  async #isHolders(id: Hex): Promise<boolean> {
    const { BundleRegistry, DatasetRegistry } = this.#parts.contracts;
    const [{ operator, until }, epoch] = await Promise.all([
      BundleRegistry.read.holdingOf([id]),
      DatasetRegistry.read.currentEpoch(),
    ]);
    return operator !== zeroAddress && epoch < until;
  }

  async #attempt({ bundle, cell }: AskedCell, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof TransactionFailedError)) throw error;
      logRefusal(this.#parts, error, { bundleId: bundle.bundleId, cell });
      return false;
    }
  }
}
