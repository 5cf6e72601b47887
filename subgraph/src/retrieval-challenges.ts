import { BigInt, ethereum } from "@graphprotocol/graph-ts";
import {
  CellPublished,
  OwnerChallenged,
  RetrievalChallenged,
  RetrievalFailed,
  RetrievalTimeoutCalled,
  RetrievalVoided,
} from "../generated/RetrievalChallenges/RetrievalChallenges";
import { Event, OwnerRetrieval, Retrieval } from "../generated/schema";
import { record } from "./record";

const contract = "RetrievalChallenges";

/** Says how a challenge stands, be it a holder's or an owner's, and whom its event is about. */
function settle(id: BigInt, status: string, row: Event): void {
  const retrieval = Retrieval.load(id.toString());
  if (retrieval == null) {
    const owners = OwnerRetrieval.load(id.toString())!;
    row.dataset = owners.dataset;
    row.save();
    owners.status = status;
    owners.save();
    return;
  }
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

export function handleOwnerChallenged(event: OwnerChallenged): void {
  const row = record(event, contract, "OwnerChallenged");
  row.dataset = event.params.datasetId;
  row.save();
  const retrieval = new OwnerRetrieval(event.params.challengeId.toString());
  retrieval.dataset = event.params.datasetId;
  retrieval.owner = event.params.owner;
  retrieval.challenger = event.params.challenger;
  retrieval.bundleIndex = event.params.bundleIndex;
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
