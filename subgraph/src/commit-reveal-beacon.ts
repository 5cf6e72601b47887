import { ethereum } from "@graphprotocol/graph-ts";
import {
  RandomnessReady,
  RandomnessRedrawn,
  RandomnessRequested,
} from "../generated/CommitRevealBeacon/CommitRevealBeacon";
import { ready, redrawn, requested } from "./randomness";
import { record } from "./record";

const contract = "CommitRevealBeacon";

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

export function handleCommitted(event: ethereum.Event): void {
  record(event, contract, "Committed").save();
}

export function handleMissingSlashed(event: ethereum.Event): void {
  record(event, contract, "MissingSlashed").save();
}

export function handleReclaimed(event: ethereum.Event): void {
  record(event, contract, "Reclaimed").save();
}

export function handleRevealed(event: ethereum.Event): void {
  record(event, contract, "Revealed").save();
}

export function handleRoundEnded(event: ethereum.Event): void {
  record(event, contract, "RoundEnded").save();
}

export function handleSessionOpened(event: ethereum.Event): void {
  record(event, contract, "SessionOpened").save();
}

export function handleSessionReady(event: ethereum.Event): void {
  record(event, contract, "SessionReady").save();
}

export function handleTimeoutCalled(event: ethereum.Event): void {
  record(event, contract, "TimeoutCalled").save();
}

export function handleAuthorityUpdated(event: ethereum.Event): void {
  record(event, contract, "AuthorityUpdated").save();
}
