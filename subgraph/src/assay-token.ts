import { ethereum } from "@graphprotocol/graph-ts";
import { record } from "./record";

const contract = "AssayToken";

export function handleTransfer(event: ethereum.Event): void {
  record(event, contract, "Transfer").save();
}

export function handleApproval(event: ethereum.Event): void {
  record(event, contract, "Approval").save();
}

export function handleEIP712DomainChanged(event: ethereum.Event): void {
  record(event, contract, "EIP712DomainChanged").save();
}
