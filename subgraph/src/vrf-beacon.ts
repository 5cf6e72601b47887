import { ethereum } from "@graphprotocol/graph-ts";
import {
  RandomnessReady,
  RandomnessRedrawn,
  RandomnessRequested,
} from "../generated/VrfBeacon/VrfBeacon";
import { ready, redrawn, requested } from "./randomness";
import { record } from "./record";

const contract = "VrfBeacon";

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

export function handleCoordinatorSet(event: ethereum.Event): void {
  record(event, contract, "CoordinatorSet").save();
}

export function handleOwnershipTransferRequested(event: ethereum.Event): void {
  record(event, contract, "OwnershipTransferRequested").save();
}

export function handleOwnershipTransferred(event: ethereum.Event): void {
  record(event, contract, "OwnershipTransferred").save();
}

export function handleAuthorityUpdated(event: ethereum.Event): void {
  record(event, contract, "AuthorityUpdated").save();
}
