import { ethereum } from "@graphprotocol/graph-ts";
import { Validator } from "../generated/schema";
import { Enrolled, ExitDelayed, Lowered, Punished, Released, Resigned, WeightSet } from "../generated/ValidatorSet/ValidatorSet";
import { operator, record, zero } from "./record";

const contract = "ValidatorSet";

export function handleEnrolled(event: Enrolled): void {
  const row = record(event, contract, "Enrolled");
  row.operator = event.params.operator;
  row.save();
  operator(event.params.operator);
  const validator = new Validator(event.params.id.toString());
  validator.operator = event.params.operator;
  validator.weight = zero;
  validator.fromRotation = zero;
  validator.isResigned = false;
  validator.punished = zero;
  validator.attestations = 0;
  validator.lies = 0;
  validator.save();
}

export function handleWeightSet(event: WeightSet): void {
  const validator = Validator.load(event.params.id.toString())!;
  const row = record(event, contract, "WeightSet");
  row.operator = validator.operator;
  row.save();
  validator.weight = event.params.weight;
  validator.fromRotation = event.params.fromRotation;
  validator.save();
}

export function handleExitDelayed(event: ExitDelayed): void {
  const validator = Validator.load(event.params.id.toString())!;
  const row = record(event, contract, "ExitDelayed");
  row.operator = validator.operator;
  row.save();
  validator.exitAt = event.params.exitAt;
  validator.save();
}

export function handleLowered(event: Lowered): void {
  const validator = Validator.load(event.params.id.toString())!;
  const row = record(event, contract, "Lowered");
  row.operator = validator.operator;
  row.save();
  validator.exitAt = event.params.exitAt;
  validator.save();
}

export function handleResigned(event: Resigned): void {
  const validator = Validator.load(event.params.id.toString())!;
  const row = record(event, contract, "Resigned");
  row.operator = validator.operator;
  row.save();
  validator.isResigned = true;
  validator.exitAt = event.params.exitAt;
  validator.save();
}

export function handlePunished(event: Punished): void {
  const row = record(event, contract, "Punished");
  row.operator = event.params.operator;
  row.save();
  const validator = Validator.load(event.params.id.toString())!;
  validator.punished = validator.punished.plus(event.params.amount);
  validator.save();
}

export function handleReleased(event: Released): void {
  const row = record(event, contract, "Released");
  row.operator = event.params.operator;
  row.save();
}

export function handleDutiesBegun(event: ethereum.Event): void {
  record(event, contract, "DutiesBegun").save();
}

export function handleDutiesEnded(event: ethereum.Event): void {
  record(event, contract, "DutiesEnded").save();
}

export function handlePaused(event: ethereum.Event): void {
  record(event, contract, "Paused").save();
}

export function handleUnpaused(event: ethereum.Event): void {
  record(event, contract, "Unpaused").save();
}

export function handleAuthorityUpdated(event: ethereum.Event): void {
  record(event, contract, "AuthorityUpdated").save();
}
