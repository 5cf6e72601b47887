import { zeroHash } from "viem";
import type { AssayEvent, ContractEvent } from "../../chain/contracts.ts";
import { eventId } from "./event-rows.ts";
import type { Stamps } from "./history.ts";
import type { Row, Value } from "./rows.ts";

/** What an index has to tell of a dataset, from the chain's events alone. */
export type DatasetRows = {
  readonly datasets: readonly Row[];
  readonly bundles: readonly Row[];
  readonly audits: readonly Row[];
  readonly retrievals: readonly Row[];
  /** Of what no holder owes. */
  readonly ownerRetrievals: readonly Row[];
};

/** Whether the holder of a bundle proved possession in an epoch, for itself or through a cover. */
export type Answer = { readonly bundle: string; readonly epoch: number; readonly isAnswered: boolean };

type Draft = { id: string; [field: string]: Value };

/**
 * Folds the events of datasets into the rows that an index has to give.
 *
 * @param events those of datasets and their bundles, and those of covers and audits, in order
 */
export function datasetRows(
  events: readonly AssayEvent[],
  stamps: Stamps,
): DatasetRows & { readonly answers: readonly Answer[] } {
  const fold = new DatasetFold(stamps);
  for (const event of events) fold.add(event);
  return fold.rows();
}

class DatasetFold {
  readonly #stamps: Stamps;
  readonly #datasets = new Map<string, Draft>();
  readonly #bundles = new Map<string, Draft>();
  readonly #covers = new Map<string, readonly string[]>();
  readonly #audits: Row[] = [];
  readonly #answers: Answer[] = [];
  readonly #retrievals = new Map<string, Draft>();
  readonly #ownerRetrievals = new Map<string, Draft>();

  constructor(stamps: Stamps) {
    this.#stamps = stamps;
  }

  rows(): ReturnType<typeof datasetRows> {
    return {
      datasets: [...this.#datasets.values()],
      bundles: [...this.#bundles.values()],
      audits: this.#audits,
      retrievals: [...this.#retrievals.values()],
      ownerRetrievals: [...this.#ownerRetrievals.values()],
      answers: this.#answers,
    };
  }

  add(event: AssayEvent): void {
    switch (event.contract) {
      case "DatasetRegistry":
        this.#registry(event);
        return;
      case "EncodingFraud":
        if (event.eventName === "EncodingFraudProven") this.#change(event.args, { isFraudulent: true });
        return;
      case "BundleRegistry":
        this.#bundle(event);
        return;
      case "StorageAudit":
        this.#audit(event);
        return;
      case "RetrievalChallenges":
        this.#retrieval(event);
        return;
    }
  }

  #time(event: AssayEvent): string {
    return String(this.#stamps.get(event.transactionHash)!.timestamp);
  }

  #change({ datasetId }: { readonly datasetId: string }, fields: { readonly [field: string]: Value }): void {
    Object.assign(this.#datasets.get(datasetId)!, fields);
  }

  #plus({ datasetId, amount }: { datasetId: string; amount: bigint }, field: string): void {
    const sum = BigInt(this.#datasets.get(datasetId)![field] as string) + amount;
    this.#change({ datasetId }, { [field]: String(sum) });
  }

  #registry(event: ContractEvent<"DatasetRegistry">): void {
    switch (event.eventName) {
      case "DatasetAnchored": {
        const { datasetId, owner, previous, shape, ...hashes } = event.args;
        this.#datasets.set(datasetId, {
          id: datasetId,
          owner: owner.toLowerCase(),
          previous: previous === zeroHash ? null : previous,
          ...hashes,
          objectCount: String(shape.objectCount),
          objectSize: String(shape.objectSize),
          segmentObjects: String(shape.segmentObjects),
          k: shape.k,
          n: shape.n,
          isEncrypted: shape.encrypted,
          anchoredAt: this.#time(event),
          isClosed: false,
          fees: "0",
          feesPaid: "0",
          paidUntilEpoch: null,
          isFraudulent: false,
        });
        return;
      }
      case "DatasetClosed":
        this.#change(event.args, { isClosed: true });
        return;
      case "FeesAdded":
        this.#plus(event.args, "fees");
        this.#change(event.args, { paidUntilEpoch: String(event.args.endEpoch) });
        return;
      case "FeePaid":
        this.#plus(event.args, "feesPaid");
        return;
    }
  }

  #bundle(event: ContractEvent<"BundleRegistry">): void {
    switch (event.eventName) {
      case "BundlePlaced": {
        const { bundleId, datasetId, operator, bundleIndex, repair } = event.args;
        const known = this.#bundles.get(bundleId);
        this.#bundles.set(bundleId, {
          id: bundleId,
          dataset: datasetId,
          index: bundleIndex,
          operator: operator.toLowerCase(),
          isPlaced: true,
          placedAt: this.#time(event),
          repairs: ((known?.repairs as number | undefined) ?? 0) + (repair ? 1 : 0),
          auditsAnswered: known?.auditsAnswered ?? 0,
          auditsMissed: known?.auditsMissed ?? 0,
        });
        return;
      }
      case "BundleReleased":
      case "BundleSurrendered":
      case "BundleVacated":
        Object.assign(this.#bundles.get(event.args.bundleId)!, { operator: null, isPlaced: false });
        return;
      case "CoverRegistered":
        this.#covers.set(event.args.coverId, event.args.bundleIds);
    }
  }

  #audit(event: ContractEvent<"StorageAudit">): void {
    if (event.eventName !== "AuditAnswered" && event.eventName !== "AuditMissed") return;
    const isAnswered = event.eventName === "AuditAnswered";
    const duty = event.eventName === "AuditAnswered" ? event.args.dutyId : event.args.bundleId;
    const counted = this.#covers.get(duty) ?? [duty];
    for (const id of counted) {
      const bundle = this.#bundles.get(id);
      const field = isAnswered ? "auditsAnswered" : "auditsMissed";
      if (bundle === undefined) continue;
      bundle[field] = (bundle[field] as number) + 1;
      this.#answers.push({ bundle: id, epoch: event.args.epoch, isAnswered });
    }
    if (!this.#bundles.has(duty)) return;
    this.#audits.push({
      id: eventId(event),
      duty,
      bundle: duty,
      operator: event.args.operator.toLowerCase(),
      epoch: String(event.args.epoch),
      isAnswered,
      evaluation: event.eventName === "AuditAnswered" ? String(event.args.evaluation) : null,
      timestamp: this.#time(event),
      transaction: event.transactionHash,
    });
  }

  #retrieval(event: ContractEvent<"RetrievalChallenges">): void {
    if (event.eventName === "RetrievalChallenged") {
      const { challengeId, bundleId, operator, challenger, cellIndex, deadline } = event.args;
      this.#retrievals.set(String(challengeId), {
        id: String(challengeId),
        bundle: bundleId,
        operator: operator.toLowerCase(),
        challenger: challenger.toLowerCase(),
        cellIndex: String(cellIndex),
        deadline: String(deadline),
        status: "Open",
      });
      return;
    }
    if (event.eventName === "OwnerChallenged") {
      const { challengeId, datasetId, owner, challenger, bundleIndex, cellIndex, deadline } = event.args;
      this.#ownerRetrievals.set(String(challengeId), {
        id: String(challengeId),
        dataset: datasetId,
        owner: owner.toLowerCase(),
        challenger: challenger.toLowerCase(),
        bundleIndex: String(bundleIndex),
        cellIndex: String(cellIndex),
        deadline: String(deadline),
        status: "Open",
      });
      return;
    }
    const statuses: Readonly<Record<string, string>> = {
      CellPublished: "Published",
      RetrievalFailed: "Failed",
      RetrievalVoided: "Void",
    };
    const status = statuses[event.eventName];
    const { challengeId } = event.args as { challengeId?: bigint };
    const id = String(challengeId);
    const retrieval = this.#retrievals.get(id) ?? this.#ownerRetrievals.get(id);
    if (status !== undefined && retrieval !== undefined) retrieval.status = status;
  }
}
