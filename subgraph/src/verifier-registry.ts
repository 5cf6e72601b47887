import { ethereum } from "@graphprotocol/graph-ts";
import { VerifyingKey } from "../generated/schema";
import { KeyRegistered } from "../generated/VerifierRegistry/VerifierRegistry";
import { record } from "./record";

const contract = "VerifierRegistry";

export function handleKeyRegistered(event: KeyRegistered): void {
  record(event, contract, "KeyRegistered").save();
  const key = new VerifyingKey(event.params.keyHash);
  key.circuit = event.params.circuit;
  key.isDevelopment = event.params.development;
  key.inputs = event.params.inputs;
  key.data = event.params.data;
  key.save();
}

export function handleAuthorityUpdated(event: ethereum.Event): void {
  record(event, contract, "AuthorityUpdated").save();
}
