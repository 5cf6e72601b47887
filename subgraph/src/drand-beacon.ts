import { ethereum } from "@graphprotocol/graph-ts";
import {
  RandomnessReady,
  RandomnessRedrawn,
  RandomnessRequested,
} from "../generated/DrandBeacon/DrandBeacon";
import { ready, redrawn, requested } from "./randomness";
import { record } from "./record";

const contract = "DrandBeacon";

export function handleRandomnessRequested(event: RandomnessRequested): void {
  record(event, contract, "RandomnessRequested").save();
  requested(event, event.params.requestId, event.params.requester);
}

export function handleRandomnessReady(event: RandomnessReady): void {
  record(event, contract, "RandomnessReady").save();
  ready(event, event.params.requestId, event.params.seed);
}

export function handleRandomnessRedrawn(event: RandomnessRedrawn): void {
  record(event, contract, "RandomnessRedrawn").save();
  redrawn(event, event.params.requestId);
}

export function handleRoundSubmitted(event: ethereum.Event): void {
  record(event, contract, "RoundSubmitted").save();
}

export function handleAuthorityUpdated(event: ethereum.Event): void {
  record(event, contract, "AuthorityUpdated").save();
}
