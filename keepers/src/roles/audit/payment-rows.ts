import type { Address } from "viem";
import type { AssayEvent } from "../../chain/contracts.ts";
import type { Attribution } from "./attribution.ts";
import { eventId } from "./event-rows.ts";
import type { Stamps } from "./history.ts";
import type { Row } from "./rows.ts";

type Payment = {
  readonly kind: string;
  readonly to: Address;
  readonly amount: bigint;
  readonly job?: string;
  readonly dataset?: string;
  readonly bundle?: string;
};

/** What an index has to tell of payments, from the events that made them. */
export function paymentRows(events: readonly AssayEvent[], stamps: Stamps, attribution: Attribution): Row[] {
  return events.flatMap((event) => {
    const paid = paymentOf(event, attribution);
    if (paid === undefined) return [];
    const { kind, to, amount, job = null, dataset = null, bundle = null } = paid;
    return {
      id: eventId(event),
      kind,
      to: to.toLowerCase(),
      amount: String(amount),
      job,
      dataset,
      bundle,
      timestamp: String(stamps.get(event.transactionHash)!.timestamp),
      transaction: event.transactionHash,
    };
  });
}

/** The payment that an event tells of; undefined when it tells of none. */
export function paymentOf(event: AssayEvent, attribution: Attribution): Payment | undefined {
  const { job } = attribution.subjectsOf(event);
  switch (`${event.contract}.${event.eventName}`) {
    case "Escrow.PricePaid":
      return { kind: "Price", ...receipt(event), job };
    case "Escrow.FeePaid":
      return { kind: "CheckFee", ...receipt(event), job };
    case "Escrow.Refunded":
      return { kind: "Refund", ...receipt(event), job };
    case "WorkerRewards.Claimed":
    case "WorkerRewards.Included":
    case "WorkerRewards.Forced": {
      const { worker, amount } = event.args as { worker: Address; amount: bigint };
      return { kind: "WorkerPay", to: worker, amount, job };
    }
    case "DisputeGame.RewardPaid": {
      const { challenger, reward } = event.args as { challenger: Address; reward: bigint };
      return { kind: "ChallengeReward", to: challenger, amount: reward, job };
    }
    case "DatasetRegistry.FeePaid": {
      const { datasetId, operator, amount } = event.args as {
        datasetId: string;
        operator: Address;
        amount: bigint;
      };
      return { kind: "StorageFee", to: operator, amount, dataset: datasetId };
    }
    case "BundleRegistry.RepairPaid": {
      const { bundleId, operator, amount } = event.args as {
        bundleId: string;
        operator: Address;
        amount: bigint;
      };
      return { kind: "RepairBounty", to: operator, amount, bundle: bundleId };
    }
  }
  return undefined;
}

function receipt({ args }: AssayEvent): { readonly to: Address; readonly amount: bigint } {
  return args as { to: Address; amount: bigint };
}
