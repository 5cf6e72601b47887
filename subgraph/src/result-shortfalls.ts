import { BigInt, Bytes, ethereum } from "@graphprotocol/graph-ts";
import { ResultLost, ShortfallCalled } from "../generated/ResultShortfalls/ResultShortfalls";
import { jobOfClaim } from "./orders";
import { record } from "./record";

const contract = "ResultShortfalls";

function note(event: ethereum.Event, name: string, claimId: BigInt, result: Bytes): void {
  const row = record(event, contract, name);
  row.job = jobOfClaim(claimId);
  row.dataset = result;
  row.save();
}

export function handleShortfallCalled(event: ShortfallCalled): void {
  note(event, "ShortfallCalled", event.params.claimId, event.params.resultId);
}

export function handleResultLost(event: ResultLost): void {
  note(event, "ResultLost", event.params.claimId, event.params.resultId);
}
