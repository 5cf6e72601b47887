import { BigInt, ethereum } from "@graphprotocol/graph-ts";
import {
  CellPublished,
  RetrievalChallenged,
  RetrievalFailed,
  RetrievalTimeoutCalled,
  RetrievalVoided,
} from "../generated/RetrievalChallenges/RetrievalChallenges";
import { Event, Retrieval } from "../generated/schema";
import { record } from "./record";

const contract = "RetrievalChallenges";

function settle(id: BigInt, status: string, row: Event): void {
  const retrieval = Retrieval.load(id.toString())!;
  row.bundle = retrieval.bundle;
  row.operator = retrieval.operator;
  row.save();
  retrieval.status = status;
  retrieval.save();
}

export function handleRetrievalChallenged(event: RetrievalChallenged): void {
  const row = record(event, contract, "RetrievalChallenged");
  row.bundle = event.params.bundleId;
  row.operator = event.params.operator;
  row.save();
  const retrieval = new Retrieval(event.params.challengeId.toString());
  retrieval.bundle = event.params.bundleId;
  retrieval.operator = event.params.operator;
  retrieval.challenger = event.params.challenger;
  retrieval.cellIndex = event.params.cellIndex;
  retrieval.deadline = event.params.deadline;
  retrieval.status = "Open";
  retrieval.save();
}

export function handleRetrievalTimeoutCalled(event: RetrievalTimeoutCalled): void {
  settle(event.params.challengeId, "Open", record(event, contract, "RetrievalTimeoutCalled"));
}

export function handleCellPublished(event: CellPublished): void {
  settle(event.params.challengeId, "Published", record(event, contract, "CellPublished"));
}

export function handleRetrievalFailed(event: RetrievalFailed): void {
  settle(event.params.challengeId, "Failed", record(event, contract, "RetrievalFailed"));
}

export function handleRetrievalVoided(event: RetrievalVoided): void {
  settle(event.params.challengeId, "Void", record(event, contract, "RetrievalVoided"));
}

export function handleCreditWithdrawn(event: ethereum.Event): void {
  record(event, contract, "CreditWithdrawn").save();
}

export function handleParametersSet(event: ethereum.Event): void {
  record(event, contract, "ParametersSet").save();
}

export function handleAuthorityUpdated(event: ethereum.Event): void {
  record(event, contract, "AuthorityUpdated").save();
}
