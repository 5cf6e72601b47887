import type { AssayEvent } from "../../chain/contracts.ts";
import { eventId } from "./event-rows.ts";
import type { Stamps } from "./history.ts";
import { reasonText } from "./reason-text.ts";
import type { Row } from "./rows.ts";

/** What an index has to tell of slashes. */
export function slashRows(events: readonly AssayEvent[], stamps: Stamps): Row[] {
  return events.flatMap((event) => {
    if (event.contract !== "Staking" || event.eventName !== "Slashed") return [];
    const { operator, module, beneficiary, amount, burnt, reason } = event.args;
    return {
      id: eventId(event),
      operator: operator.toLowerCase(),
      module: module.toLowerCase(),
      beneficiary: beneficiary.toLowerCase(),
      amount: String(amount),
      burnt: String(burnt),
      reason: reasonText(reason),
      timestamp: String(stamps.get(event.transactionHash)!.timestamp),
      transaction: event.transactionHash,
    };
  });
}
